//! The wire: raw HTTP.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20250101/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=00\r\n";

/// Sends bytes, and reads until the connection closes; ids are replaced.
async fn exchange(world: &World, request: &[u8]) -> String {
    let url = world.sandbox.endpoint_url();
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The endpoint may refuse before it has read all.
    drop(stream.write_all(request).await);
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let id = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").expect("a pattern");
    let date = regex::Regex::new("(?m)^date: .*\r\n").expect("a pattern");
    date.replace(&id.replace_all(&text, "ID"), "").replace("\r\n", "\n")
}

async fn post(world: &World, headers: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    );
    exchange(world, request.as_bytes()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_look_like_those_of_ec2() {
    let world = World::new().await;
    let body = "Action=DescribeKeyPairs&Version=2016-11-15";
    insta::assert_snapshot!(post(&world, SIGNED, body).await, @r#"
    HTTP/1.1 200 OK
    content-type: text/xml;charset=UTF-8
    x-amzn-requestid: ID
    connection: close
    content-length: 216

    <?xml version="1.0" encoding="UTF-8"?><DescribeKeyPairsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>ID</requestId><keySet></keySet></DescribeKeyPairsResponse>
    "#);
    insta::assert_snapshot!(post(&world, SIGNED, "Action=Fly&Version=2016-11-15").await, @r#"
    HTTP/1.1 400 Bad Request
    content-type: text/xml;charset=UTF-8
    x-amzn-requestid: ID
    connection: close
    content-length: 244

    <?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>InvalidAction</Code><Message>The action Fly is not valid for this web service.</Message></Error></Errors><RequestID>ID</RequestID></Response>
    "#);
    insta::assert_snapshot!(post(&world, "", body).await, @r#"
    HTTP/1.1 401 Unauthorized
    content-type: text/xml;charset=UTF-8
    x-amzn-requestid: ID
    connection: close
    content-length: 253

    <?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>AuthFailure</Code><Message>AWS was not able to validate the provided access credentials</Message></Error></Errors><RequestID>ID</RequestID></Response>
    "#);
    insta::assert_snapshot!(post(&world, SIGNED, "").await, @r#"
    HTTP/1.1 400 Bad Request
    content-type: text/xml;charset=UTF-8
    x-amzn-requestid: ID
    connection: close
    content-length: 240

    <?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error><Code>MissingAction</Code><Message>The request must contain the parameter Action</Message></Error></Errors><RequestID>ID</RequestID></Response>
    "#);
    let identity = "Action=GetCallerIdentity&Version=2011-06-15";
    insta::assert_snapshot!(post(&world, SIGNED, identity).await, @r#"
    HTTP/1.1 200 OK
    content-type: text/xml
    x-amzn-requestid: ID
    connection: close
    content-length: 398

    <?xml version="1.0" encoding="UTF-8"?><GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/sandbox</Arn><UserId>AIDASANDBOX</UserId><Account>123456789012</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></GetCallerIdentityResponse>
    "#);
    let target = format!("{SIGNED}X-Amz-Target: AmazonSSM.GetParameter\r\n");
    let parameter = post(&world, &target, "{\"Name\":\"/mine\"}").await;
    insta::assert_snapshot!(parameter, @r#"
    HTTP/1.1 400 Bad Request
    content-type: application/x-amz-json-1.1
    x-amzn-requestid: ID
    connection: close
    content-length: 43

    {"__type":"ParameterNotFound","message":""}
    "#);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn get_with_a_presigned_query_works() {
    let world = World::new().await;
    let request = "GET /?Action=DescribeRegions&Version=2016-11-15&RegionName.1=eu-west-1&X-Amz-Credential=AKID%2F20250101%2Feu-west-1%2Fec2%2Faws4_request HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(&world, request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("<regionName>eu-west-1</regionName>"), "{answer}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_is_bounded() {
    let world = World::new().await;
    let large = "a".repeat(1024 * 1024 + 1);
    let answer = post(&world, SIGNED, &large).await;
    assert!(answer.contains("RequestEntityTooLarge"), "{answer}");
    let header = format!("X-Long: {}\r\n", "a".repeat(300_000));
    let answer = post(&world, &header, "").await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let address = world.sandbox.endpoint_url().replace("http://", "");
    let junk = ["\x16\x03\x01\x02\x00", "BREW / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\nCont"];
    for junk in junk {
        let mut stream = TcpStream::connect(&address).await.expect("a connection");
        drop(stream.write_all(junk.as_bytes()).await);
    }
    let answer = post(&world, SIGNED, "Action=DescribeVpcs").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_pages_are_refused() {
    let world = World::new().await;
    let body = "Action=DescribeVpcs";
    for header in ["Origin: https://example.com\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let answer = post(&world, &format!("{SIGNED}{header}"), body).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    let rebound =
        format!("GET /?{body} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{SIGNED}\r\n");
    let answer = exchange(&world, rebound.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_key_can_be_required() {
    let access_key = Some("AKIAMINE".to_owned());
    let world = World::with(Options { access_key, ..Options::default() }).await;
    let body = "Action=DescribeVpcs";
    assert!(post(&world, SIGNED, body).await.starts_with("HTTP/1.1 401"));
    for key in ["AKIAMINE", "ASIAMINE"] {
        let signed = SIGNED.replace("AKIDEXAMPLE", key);
        assert!(post(&world, &signed, body).await.starts_with("HTTP/1.1 200"));
    }
    world.end().await;
}
