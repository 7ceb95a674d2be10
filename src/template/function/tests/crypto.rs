//! Functions for digests, secrets and identifiers.

use crate::template::evaluate::tests::{check, printed};
use crate::value::quote;

/// The hashes of `bcrypt` are what libxcrypt makes with the same salt.
pub(super) const TABLE: &str = r#"
md5("hi")  => "49f68a5c8493ec2c0bf489821c21fc3b"
sha1("hi")  => "c22b5f9178342609428d6f51b2c5af4c0bde6a42"
sha256("hi")  => "8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4"
sha512("hi")  => "150a14ed5bea6cc731cf86c41566ac427a8db48ef1b9fd626664b3bfbb99071fa4c922f33dde38719b8c8354e2b7ab9d77e0e67fc12843920a712e73d558e197"
base64sha256("hi")  => "j0NDRmSPa5bfid2pAcUXaxCm2Dlh3TwayItZstwyeqQ="
sha256(var.secret) == "x"  => false !sensitive
uuidv5("dns", "example.com")  => "cfbff0d1-9375-5685-968c-48ce8b15ae17"
uuidv5("6ba7b810-9dad-11d1-80b4-00c04fd430c8", "example.com")  => "cfbff0d1-9375-5685-968c-48ce8b15ae17"
uuidv5("bad", "x")  => error: `uuidv5`: "bad" is not a namespace
uuidv4()  => "01010101-0101-4101-8101-010101010101" !volatile
uuidv4() == uuidv4()  => false !volatile
md5("")  => "d41d8cd98f00b204e9800998ecf8427e"
sha1("é")  => "bf15be717ac1b080b4f1c456692825891ff5073d"
sha256(null)  => error: `text` of `sha256` must not be null
sha512(var.later)  => (unknown)
base64sha512("hi")  => "FQoU7VvqbMcxz4bEFWasQnqNtI7xuf1iZmSzv7uZBx+kySLzPd44cZuMg1Tit6udd+Dmf8EoQ5IKcS5z1Vjhlw=="
bcrypt("hi", 4)  => "$2a$04$.OC/.OC/.OC/.OC/.OC/.OCQHYmiVihpxIliGK/Lq3aHr6OQn6SGO" !volatile
bcrypt("hi", 3)  => "$2a$10$.OC/.OC/.OC/.OC/.OC/.OnZZw96xgQtFuOgFDfNW5L96RdG7t6A2" !volatile
bcrypt("hi", 4) == bcrypt("hi", 4)  => false !volatile
bcrypt("hi", 17)  => error: `bcrypt`: a cost from 4 to 16 is required, not 17
bcrypt("hi", 1e300)  => error: `bcrypt`: a whole number is required
bcrypt("hi", 4.5)  => error: `bcrypt`: a whole number is required
bcrypt("hi", 4, 5)  => error: `bcrypt`: only one cost can be given
bcrypt(join("", range(100)), 4)  => error: `bcrypt`: a password has at most 72 bytes
bcrypt(null)  => error: `text` of `bcrypt` must not be null
bcrypt(var.later)  => (unknown)
rsadecrypt("x", "y")  => error: `rsadecrypt`: "x" is not base64
rsadecrypt("aGk=", "y")  => error: `rsadecrypt`: this is not a private RSA key in PEM
rsadecrypt("aGk=", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n")  => error: `rsadecrypt`: this is not a private RSA key in PEM
rsadecrypt("aGk=", "-----BEGIN ENCRYPTED PRIVATE KEY-----")  => error: `rsadecrypt`: this key is protected by a passphrase
rsadecrypt("aGk=", "-----BEGIN OPENSSH PRIVATE KEY-----")  => error: `rsadecrypt`: keys in OpenSSH's own format are not read
rsadecrypt("aGk=", join("", range(3000)))  => error: `rsadecrypt`: this is too long for a private RSA key
uuid() == uuid()  => false !volatile
uuidv4(1)  => error: `uuidv4` takes no arguments, not 1
uuidv5("url", "https://example.com/")  => "dd2c1780-811a-5296-81c5-178a0ef488bc"
uuidv5("oid", "1.3.6.1")  => "1447fa61-5277-5fef-a9b3-fbc6e44f4af3"
uuidv5("x500", "CN=a")  => "c4756781-662d-5713-b245-06d2e6262fc5"
uuidv5("dns", null)  => error: `name` of `uuidv5` must not be null
"#;

#[test]
fn as_documented() {
    check(TABLE);
}

/// A key that is used nowhere else, in PKCS #1 and in PKCS #8.
const KEYS: [&str; 2] = [
    concat!(
        "-----BEGIN RSA PRIVATE KEY-----\n",
        "MIICXQIBAAKBgQDApcwcNqI5AVqx1sbdfNW8hThVzFshCGcsld9MQLTSsj5Opfb2\n",
        "KM87Gf6bY9WEzK2LeDnLA0KIpTli/H0vNwTabs0jU1N2dVEJ2F8TkXVN8PR8vzc7\n",
        "UReE/OJ8t67AGpd0SeYih3x/QIPHL5BYjsMAZIcfQjgGBA3sfmMSiCTJtQIDAQAB\n",
        "AoGBAKSqkybihBMZ1z3/iYg0djVn4dlkjdhUaGwxxuZUwLr/5EYxkkCibU/lTj3g\n",
        "Pdf/Y6+9GhkvNiW6pKy5iP9cleXr+ec23ajWN+X/qHIr19Tzyjh09emm8qJ3EXNx\n",
        "DvpE92eyhMe7BJBWGFuK+cnrZUBJcoQXqAltEIJLnbvfgowZAkEA4ChFuiIgEieg\n",
        "DC7AHAy4ewuCCTz3+kvl4tW/TSZq59ExpAQmTApi+lnNcQ00ET0LqaVKNcJLRn+2\n",
        "TGSgx3+zrwJBANwDpCHZS0FnmayuctNUkFNfxQ3bMZOFC7Qhgzqlh14buYWpkDxg\n",
        "bXqwGwQ8EQH7lpOWAnIkEYcxCtNnnqa43dsCQEfBPIjX8bI+EwKzWHXiMI/a4DZ6\n",
        "2Nq7vww85i8ZNDGfCqf5WBURYhvH8XbWBivagcg9jCLnXldj/IQ51inmnCsCQQC/\n",
        "SncpavlQi5gEmMSDU9IMe4ckLgFjxtjPLBgiJIuW2joqqawboqdtdbJ3sxYCiFF6\n",
        "ToIf5ZZL2esUtdIuGSvjAkBFuv+1jwyClGibiT1+m9bV75RFnE5MnmG/cHFGjxOx\n",
        "WfOF0ONoUiGRoqfCa1w03xBRB9BXxvlKEJGazIxNmM53\n",
        "-----END RSA PRIVATE KEY-----\n",
    ),
    concat!(
        "-----BEGIN PRIVATE KEY-----\n",
        "MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAMClzBw2ojkBWrHW\n",
        "xt181byFOFXMWyEIZyyV30xAtNKyPk6l9vYozzsZ/ptj1YTMrYt4OcsDQoilOWL8\n",
        "fS83BNpuzSNTU3Z1UQnYXxORdU3w9Hy/NztRF4T84ny3rsAal3RJ5iKHfH9Ag8cv\n",
        "kFiOwwBkhx9COAYEDex+YxKIJMm1AgMBAAECgYEApKqTJuKEExnXPf+JiDR2NWfh\n",
        "2WSN2FRobDHG5lTAuv/kRjGSQKJtT+VOPeA91/9jr70aGS82JbqkrLmI/1yV5ev5\n",
        "5zbdqNY35f+ocivX1PPKOHT16abyoncRc3EO+kT3Z7KEx7sEkFYYW4r5yetlQEly\n",
        "hBeoCW0Qgkudu9+CjBkCQQDgKEW6IiASJ6AMLsAcDLh7C4IJPPf6S+Xi1b9NJmrn\n",
        "0TGkBCZMCmL6Wc1xDTQRPQuppUo1wktGf7ZMZKDHf7OvAkEA3AOkIdlLQWeZrK5y\n",
        "01SQU1/FDdsxk4ULtCGDOqWHXhu5hamQPGBterAbBDwRAfuWk5YCciQRhzEK02ee\n",
        "prjd2wJAR8E8iNfxsj4TArNYdeIwj9rgNnrY2ru/DDzmLxk0MZ8Kp/lYFRFiG8fx\n",
        "dtYGK9qByD2MIudeV2P8hDnWKeacKwJBAL9Kdylq+VCLmASYxINT0gx7hyQuAWPG\n",
        "2M8sGCIki5baOiqprBuip211snezFgKIUXpOgh/llkvZ6xS10i4ZK+MCQEW6/7WP\n",
        "DIKUaJuJPX6b1tXvlEWcTkyeYb9wcUaPE7FZ84XQ42hSIZGip8JrXDTfEFEH0FfG\n",
        "+UoQkZrMjE2Yznc=\n",
        "-----END PRIVATE KEY-----\n",
    ),
];
/// What `openssl pkeyutl -encrypt` made of `hello` for it.
const ENCRYPTED: &str = "BfbbjFwe/nVNGy68QZwEFJpPQg0ix+dMHo0oyrT5uViCtjvThzqtrX//IafaIAx3zLkGul+DSatYCAkW+A8IfMEzur6Uni2z+nNJXBQxdXuqpZSAOy1qCZ+wTcM30ArOZZwvDMtyU+JjWFL3KZgNAceyXiqS73P8A7br8Cpuci4=";

#[test]
fn keys_of_both_forms_decrypt() {
    for key in KEYS {
        let key = quote(key);
        assert_eq!(printed(&format!("rsadecrypt(\"{ENCRYPTED}\", {key})")), "\"hello\"");
        let found = printed(&format!("rsadecrypt(sensitive(\"{ENCRYPTED}\"), {key})"));
        assert_eq!(found, "\"hello\" !sensitive");
        let other = ENCRYPTED.replacen('B', "C", 1);
        let found = printed(&format!("rsadecrypt(\"{other}\", {key})"));
        assert_eq!(found, "error: `rsadecrypt`: this was not encrypted for this key");
        let found = printed(&format!("rsadecrypt(var.later, {key})"));
        assert_eq!(found, "(unknown)");
    }
}
