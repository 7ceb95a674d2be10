//! Files with keys and certificates.

use std::fs;

use super::user_path;
use crate::communicator::CommunicatorError;
use crate::communicator::ssh;
use crate::plan::{Planner, UNKNOWN_TEXT};
use crate::template::schema::Secret;

/// A private key's file and that of its certificate, with the names of their options.
pub(super) struct KeyFiles<'a> {
    pub(super) key_option: &'static str,
    pub(super) key: Option<&'a str>,
    pub(super) certificate_option: &'static str,
    pub(super) certificate: Option<&'a str>,
}

impl KeyFiles<'_> {
    /// Reports files that are not there or do not hold what they should.
    pub(super) fn check(&self, planner: &mut Planner<'_>) {
        let is_given = |file: &&str| !file.is_empty() && *file != UNKNOWN_TEXT;
        let key = self.key.filter(is_given).and_then(|file| self.read_key(file, planner));
        let Some(file) = self.certificate.filter(is_given) else { return };
        if self.key.is_none_or(str::is_empty) {
            let text = format!("`{}` needs `{}`", self.certificate_option, self.key_option);
            planner.wrong(self.certificate_option, text, "the key that the certificate is for");
        }
        let Some(certificate) = read(file, self.certificate_option, planner) else { return };
        if let Err(reason) =
            ssh::check_certificate(&certificate, key.as_ref(), jiff::Timestamp::now())
        {
            let text = format!("`{file}` is no certificate to log in with: {reason}");
            planner.wrong(self.certificate_option, text, "`ssh-keygen -L -f FILE` shows one");
        }
    }

    fn read_key(&self, file: &str, planner: &mut Planner<'_>) -> Option<Secret> {
        let key = Secret::new(read(file, self.key_option, planner)?);
        match ssh::check_private_key(&key) {
            Ok(()) => Some(key),
            Err(CommunicatorError::Key { reason }) => {
                let text = format!("the private key in `{file}` cannot be used: {reason}");
                let help = match reason.contains("passphrase") {
                    true => "`ssh-keygen -p -f COPY` removes the passphrase of a copy",
                    false => "OpenSSH, PKCS#1, PKCS#8 and SEC1 keys are known, as PEM",
                };
                planner.wrong(self.key_option, text, help);
                None
            }
            Err(error) => {
                planner.wrong(self.key_option, error.to_string(), "");
                None
            }
        }
    }
}

fn read(file: &str, option: &str, planner: &mut Planner<'_>) -> Option<String> {
    match fs::read(user_path(planner.directory(), file)) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            let help = planner.path_help();
            planner.wrong(option, format!("`{file}` cannot be read: {error}"), &help);
            None
        }
    }
}
