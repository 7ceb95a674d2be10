//! Documents that sessions are started with.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::sandbox::cloud::CloudError;

const PORT_FORWARDING: &str = "AWS-StartPortForwardingSession";
const SSH: &str = "AWS-StartSSHSession";

/// What a session connects to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The port of the instance.
    pub(super) port: u16,
    /// Whether many streams share the session; otherwise it is one stream.
    pub(super) multiplexed: bool,
    /// What the agent tells the client.
    pub(super) properties: Value,
}

impl Target {
    /// From the document and its parameters.
    pub(super) fn of(
        document: &str,
        parameters: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, CloudError> {
        let invalid = |message: String| CloudError::new("InvalidDocument", message);
        let names: &[&str] = match document {
            PORT_FORWARDING => &["portNumber", "localPortNumber"],
            SSH => &["portNumber"],
            "" | "SSM-SessionManagerRunShell" => {
                return Err(invalid(
                    "The sandbox's agent forwards ports; it starts no shells.".into(),
                ));
            }
            _ => return Err(invalid(format!("Document with name {document} does not exist."))),
        };
        if let Some(name) = parameters.keys().find(|name| !names.contains(&name.as_str())) {
            let message = format!("Parameter \"{name}\" is not a parameter of {document}");
            return Err(CloudError::new("InvalidParameters", message));
        }
        let port = |name: &str, default: &str| {
            let text = match parameters.get(name).map(Vec::as_slice) {
                None | Some([]) => default.to_owned(),
                Some([text]) => text.clone(),
                Some(_) => {
                    return Err(CloudError::new(
                        "InvalidParameters",
                        format!("Parameter \"{name}\" takes one value"),
                    ));
                }
            };
            match text.parse::<u16>() {
                Ok(port) => Ok((port, text)),
                Err(_) => Err(CloudError::new(
                    "InvalidParameters",
                    format!("Parameter \"{name}\" has the value {text}, which is no port"),
                )),
            }
        };
        let multiplexed = document == PORT_FORWARDING;
        let (number, text) = port("portNumber", if multiplexed { "80" } else { "22" })?;
        let properties = if multiplexed {
            let (_, local) = port("localPortNumber", "0")?;
            json!({ "portNumber": text, "localPortNumber": local, "type": "LocalPortForwarding" })
        } else {
            json!({ "portNumber": text })
        };
        Ok(Self { port: number, multiplexed, properties })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(document: &str, parameters: &[(&str, &str)]) -> Result<Target, CloudError> {
        let parameters = parameters.iter().map(|(n, v)| ((*n).to_owned(), vec![(*v).to_owned()]));
        Target::of(document, &parameters.collect())
    }

    #[test]
    fn ports_and_their_defaults() {
        let forwarding = target(PORT_FORWARDING, &[("portNumber", "22")]).unwrap();
        assert_eq!((forwarding.port, forwarding.multiplexed), (22, true));
        insta::assert_snapshot!(forwarding.properties, @r#"{"portNumber":"22","localPortNumber":"0","type":"LocalPortForwarding"}"#);
        let ssh = target(SSH, &[]).unwrap();
        assert_eq!((ssh.port, ssh.multiplexed), (22, false));
        insta::assert_snapshot!(ssh.properties, @r#"{"portNumber":"22"}"#);
    }

    #[test]
    fn what_cannot_be_started() {
        let said = |document, parameters: &[(&str, &str)]| {
            target(document, parameters).unwrap_err().to_string()
        };
        insta::assert_snapshot!(said("mine", &[]), @"InvalidDocument: Document with name mine does not exist.");
        insta::assert_snapshot!(said("", &[]), @"InvalidDocument: The sandbox's agent forwards ports; it starts no shells.");
        insta::assert_snapshot!(said(SSH, &[("host", "x")]), @r#"InvalidParameters: Parameter "host" is not a parameter of AWS-StartSSHSession"#);
        insta::assert_snapshot!(said(SSH, &[("portNumber", "70000")]), @r#"InvalidParameters: Parameter "portNumber" has the value 70000, which is no port"#);
    }
}
