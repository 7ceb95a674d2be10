//! Messages to a WinRM service: WS-Management as [MS-WSMV] narrows it down.
//!
//! [MS-WSMV]: https://learn.microsoft.com/openspecs/windows_protocols/ms-wsmv

use std::io;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

/// Bytes that an answer may have: what services send unless they are told otherwise.
pub(super) const ENVELOPE: usize = 500 << 10;

/// The shell of `cmd.exe`.
const CMD: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd";
/// The settings of the service.
const CONFIG: &str = "http://schemas.microsoft.com/wbem/wsman/1/config";
/// What the names of actions on shells begin with.
const SHELL: &str = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell";
/// What the names of actions on resources begin with.
const TRANSFER: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer";
/// Wherever the connection comes from.
const ANONYMOUS: &str = "http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous";

/// Prefixes and what they stand for.
const NAMESPACES: &[(&str, &str)] = &[
    ("xmlns:s", "http://www.w3.org/2003/05/soap-envelope"),
    ("xmlns:a", "http://schemas.xmlsoap.org/ws/2004/08/addressing"),
    ("xmlns:w", "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"),
    ("xmlns:p", "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"),
    ("xmlns:rsp", SHELL),
];

/// What is asked of the service.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    /// The settings of the service, of which the size of messages is one.
    Settings,
    /// A shell.
    Create,
    /// The end of a shell and of everything in it.
    Delete {
        /// The shell.
        shell: &'a str,
    },
    /// That a command is started.
    Command {
        /// The shell.
        shell: &'a str,
        /// What `cmd.exe` gets.
        text: &'a str,
        /// Whether it will be sent input; else its input is a console without keys.
        input: bool,
    },
    /// Input of a command.
    Send {
        /// The shell.
        shell: &'a str,
        /// The command.
        command: &'a str,
        /// The bytes.
        bytes: &'a [u8],
        /// Whether no more will come.
        end: bool,
    },
    /// What a command has printed, or that it has ended.
    Receive {
        /// The shell.
        shell: &'a str,
        /// The command.
        command: &'a str,
    },
    /// That a command ends.
    Terminate {
        /// The shell.
        shell: &'a str,
        /// The command.
        command: &'a str,
    },
}

impl Request<'_> {
    fn resource(&self) -> &'static str {
        if matches!(self, Self::Settings) { CONFIG } else { CMD }
    }

    fn action(&self) -> String {
        match self {
            Self::Settings => format!("{TRANSFER}/Get"),
            Self::Create => format!("{TRANSFER}/Create"),
            Self::Delete { .. } => format!("{TRANSFER}/Delete"),
            Self::Command { .. } => format!("{SHELL}/Command"),
            Self::Send { .. } => format!("{SHELL}/Send"),
            Self::Receive { .. } => format!("{SHELL}/Receive"),
            Self::Terminate { .. } => format!("{SHELL}/Signal"),
        }
    }

    fn shell(&self) -> Option<&str> {
        match self {
            Self::Settings | Self::Create => None,
            Self::Delete { shell }
            | Self::Command { shell, .. }
            | Self::Send { shell, .. }
            | Self::Receive { shell, .. }
            | Self::Terminate { shell, .. } => Some(shell),
        }
    }

    /// Output is in UTF-8, and the user's profile is loaded, as in Packer.
    fn options(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Create => &[("WINRS_NOPROFILE", "FALSE"), ("WINRS_CODEPAGE", "65001")],
            Self::Command { input: false, .. } => {
                &[("WINRS_CONSOLEMODE_STDIN", "TRUE"), ("WINRS_SKIP_CMD_SHELL", "FALSE")]
            }
            Self::Command { .. } => {
                &[("WINRS_CONSOLEMODE_STDIN", "FALSE"), ("WINRS_SKIP_CMD_SHELL", "FALSE")]
            }
            _ => &[],
        }
    }

    /// The message to a service that is known as `to`; it should answer within `limit`.
    ///
    /// # Errors
    /// A character that XML cannot say, such as in a command.
    pub(super) fn envelope(&self, to: &str, limit: Duration) -> Result<String, String> {
        if let Self::Command { text, .. } = self
            && let Some(found) = text.chars().find(|c| !is_sayable(*c))
        {
            return Err(format!("the command has the character U+{:04X} in it", u32::from(found)));
        }
        let mut out = Out(Writer::new(Vec::with_capacity(2 << 10)));
        // Nothing that writes to memory fails.
        drop(self.write(&mut out, to, limit));
        String::from_utf8(out.0.into_inner()).map_err(|error| error.to_string())
    }

    fn write(&self, out: &mut Out, to: &str, limit: Duration) -> io::Result<()> {
        let must = [("s:mustUnderstand", "true")];
        let may = [("xml:lang", "en-US"), ("s:mustUnderstand", "false")];
        out.open("s:Envelope", NAMESPACES)?;
        out.open("s:Header", &[])?;
        out.text("a:To", &[], to)?;
        out.open("a:ReplyTo", &[])?;
        out.text("a:Address", &must, ANONYMOUS)?;
        out.close("a:ReplyTo")?;
        out.text("w:ResourceURI", &must, self.resource())?;
        out.text("a:Action", &must, &self.action())?;
        out.text("w:MaxEnvelopeSize", &must, &ENVELOPE.to_string())?;
        out.text("a:MessageID", &[], &format!("uuid:{}", uuid::Uuid::new_v4()))?;
        out.text("w:Locale", &may, "")?;
        out.text("p:DataLocale", &may, "")?;
        out.text("w:OperationTimeout", &[], &format!("PT{:.3}S", limit.as_secs_f64()))?;
        if let Some(shell) = self.shell() {
            out.open("w:SelectorSet", &[])?;
            out.text("w:Selector", &[("Name", "ShellId")], shell)?;
            out.close("w:SelectorSet")?;
        }
        if !self.options().is_empty() {
            out.open("w:OptionSet", &[])?;
            for (name, value) in self.options() {
                out.text("w:Option", &[("Name", name)], value)?;
            }
            out.close("w:OptionSet")?;
        }
        out.close("s:Header")?;
        out.open("s:Body", &[])?;
        self.body(out)?;
        out.close("s:Body")?;
        out.close("s:Envelope")
    }

    fn body(&self, out: &mut Out) -> io::Result<()> {
        match self {
            Self::Settings | Self::Delete { .. } => Ok(()),
            Self::Create => {
                out.open("rsp:Shell", &[])?;
                out.text("rsp:InputStreams", &[], "stdin")?;
                out.text("rsp:OutputStreams", &[], "stdout stderr")?;
                out.close("rsp:Shell")
            }
            Self::Command { text, .. } => {
                out.open("rsp:CommandLine", &[])?;
                out.text("rsp:Command", &[], text)?;
                out.close("rsp:CommandLine")
            }
            Self::Send { command, bytes, end, .. } => {
                let mut attributes = vec![("Name", "stdin"), ("CommandId", *command)];
                attributes.extend(end.then_some(("End", "true")));
                out.open("rsp:Send", &[])?;
                out.text("rsp:Stream", &attributes, &BASE64_STANDARD.encode(bytes))?;
                out.close("rsp:Send")
            }
            Self::Receive { command, .. } => {
                out.open("rsp:Receive", &[])?;
                out.text("rsp:DesiredStream", &[("CommandId", command)], "stdout stderr")?;
                out.close("rsp:Receive")
            }
            Self::Terminate { command, .. } => {
                out.open("rsp:Signal", &[("CommandId", command)])?;
                out.text("rsp:Code", &[], &format!("{SHELL}/signal/terminate"))?;
                out.close("rsp:Signal")
            }
        }
    }
}

struct Out(Writer<Vec<u8>>);

impl Out {
    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> io::Result<()> {
        let tag = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.0.write_event(Event::Start(tag))
    }

    fn close(&mut self, name: &str) -> io::Result<()> {
        self.0.write_event(Event::End(BytesEnd::new(name)))
    }

    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> io::Result<()> {
        self.open(name, attributes)?;
        self.0.write_event(Event::Text(BytesText::new(text)))?;
        self.close(name)
    }
}

/// Whether XML 1.0 has the character.
fn is_sayable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// How many bytes of input fit into a message, when messages may have `limit` bytes.
pub(super) fn room(limit: usize) -> usize {
    // The longest header, and some.
    limit.saturating_sub(4 << 10) / 4 * 3
}

#[cfg(test)]
mod tests {
    use super::super::xml::Element;
    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn read(request: Request<'_>) -> Element {
        let text = request.envelope("http://h:5985/wsman", LIMIT).unwrap();
        Element::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_command_arrives_as_it_is() {
        let text = "echo \"a\" & set x=<1> && type %TEMP%\\é.txt\r\nrem ]]>";
        let root = read(Request::Command { shell: "S", text, input: false });
        assert_eq!(root.find("Command").unwrap().text, text);
        assert_eq!(root.find("Selector").unwrap().text, "S");
        assert_eq!(root.find("OperationTimeout").unwrap().text, "PT20.000S");
        let error = Request::Command { shell: "S", text: "a\0b", input: false };
        assert_eq!(
            error.envelope("", LIMIT).unwrap_err(),
            "the command has the character U+0000 in it"
        );
    }

    #[test]
    fn the_largest_piece_of_input_fits() {
        let bytes = vec![0xff; room(ENVELOPE)];
        let id = "3A6DEB0C-6D8C-4F5A-8A4F-5B4F3A6DEB0C";
        let request = Request::Send { shell: id, command: id, bytes: &bytes, end: true };
        let length = request.envelope(&format!("http://{}:5985/wsman", "h".repeat(255)), LIMIT);
        let length = length.unwrap().len();
        assert!(length <= ENVELOPE && length > ENVELOPE - (4 << 10), "{length}");
        assert!(bytes.len() > 370_000, "{}", bytes.len());
        let root = read(Request::Send { shell: id, command: id, bytes: b"hi", end: false });
        let stream = root.find("Stream").unwrap();
        assert_eq!((stream.text.as_str(), stream.attribute("End")), ("aGk=", None));
    }

    #[test]
    fn each_request_names_its_action() {
        let (shell, command) = ("S", "C");
        let actions = [
            Request::Settings,
            Request::Create,
            Request::Receive { shell, command },
            Request::Terminate { shell, command },
            Request::Delete { shell },
        ]
        .map(|request| read(request).find("Action").unwrap().text.clone());
        insta::assert_snapshot!(actions.join("\n"), @"
        http://schemas.xmlsoap.org/ws/2004/09/transfer/Get
        http://schemas.xmlsoap.org/ws/2004/09/transfer/Create
        http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Receive
        http://schemas.microsoft.com/wbem/wsman/1/windows/shell/Signal
        http://schemas.xmlsoap.org/ws/2004/09/transfer/Delete
        ");
    }
}
