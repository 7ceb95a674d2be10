//! What a WinRM service answers.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::xml::Element;
use crate::communicator::Chunk;
use crate::event::Stream;

/// `WSMAN_FAULT`: nothing happened until the operation timed out; ask again.
const TIMED_OUT: u32 = 2_150_858_793;
/// `ERROR_BROKEN_PIPE`, `ERROR_NO_DATA`, `ERROR_PIPE_NOT_CONNECTED`: nobody reads any more.
const UNREAD: [u32; 3] = [109, 232, 233];
/// `ERROR_ACCESS_DENIED`.
const DENIED: u32 = 5;

/// Why the service did not do it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Windows' or the service's number; 0 for none.
    code: u32,
    /// The service's words.
    text: String,
}

impl Fault {
    /// The fault that an answer is, if it is one.
    pub(super) fn of(answer: &Element) -> Option<Self> {
        let fault = answer.find("Fault")?;
        let detail = fault.find("WSManFault");
        let code = detail
            .and_then(|detail| detail.attribute("Code"))
            .and_then(|code| code.trim().parse().ok())
            .unwrap_or_default();
        let words = |name| fault.find(name).map(Element::words).filter(|text| !text.is_empty());
        let text = words("Message")
            .or_else(|| words("Reason"))
            .or_else(|| words("Subcode"))
            .unwrap_or_else(|| "the service gives no reason".to_owned());
        Some(Self { code, text: text.chars().take(1000).collect() })
    }

    /// Whether the operation only took as long as it may.
    pub(super) fn is_timeout(&self) -> bool {
        self.code == TIMED_OUT
    }

    /// Whether a command takes no more input.
    pub(super) fn is_unread(&self) -> bool {
        UNREAD.contains(&self.code)
    }

    /// Whether the user may not do it.
    pub(super) fn is_denied(&self) -> bool {
        self.code == DENIED
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.text.trim_end_matches(['.', ' ']);
        match self.code {
            0 => write!(f, "{text}"),
            code => write!(f, "{text} (code {code})"),
        }
    }
}

/// The id of the shell that was made.
pub(super) fn shell_id(answer: &Element) -> Option<String> {
    let selector = |one: &&Element| {
        one.name == "ShellId"
            || (one.name == "Selector" && one.attribute("Name") == Some("ShellId"))
    };
    id(answer.all().into_iter().find(selector)?)
}

/// The id of the command that was started.
pub(super) fn command_id(answer: &Element) -> Option<String> {
    id(answer.find("CommandId")?)
}

fn id(element: &Element) -> Option<String> {
    let text = element.text.trim();
    (!text.is_empty() && text.len() <= 200).then(|| text.to_owned())
}

/// How many bytes a message to the service may have.
pub(super) fn envelope_limit(answer: &Element) -> Option<usize> {
    let kibibytes: usize = answer.find("MaxEnvelopeSizekb")?.text.trim().parse().ok()?;
    Some(kibibytes.clamp(32, 500) << 10)
}

/// What came of a command since the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    /// What it printed.
    pub(super) chunks: Vec<Chunk>,
    /// Whether it has ended.
    pub(super) done: bool,
    /// Its status, when it has ended by itself.
    pub(super) status: Option<u32>,
}

impl Received {
    /// Reads an answer.
    ///
    /// # Errors
    /// What is wrong with it, in a few words.
    pub(super) fn of(answer: &Element) -> Result<Self, String> {
        if answer.find("ReceiveResponse").is_none() {
            return Err("it is no answer to a request for output".to_owned());
        }
        let mut received = Self::default();
        for element in answer.all() {
            match element.name.as_str() {
                "Stream" => {
                    let stream = match element.attribute("Name") {
                        Some("stdout") => Stream::Stdout,
                        Some("stderr") => Stream::Stderr,
                        _ => continue,
                    };
                    let text: String = element.text.split_ascii_whitespace().collect();
                    let bytes = BASE64_STANDARD
                        .decode(text)
                        .map_err(|_| "the output in it is not base64".to_owned())?;
                    if !bytes.is_empty() {
                        received.chunks.push(Chunk { stream, bytes });
                    }
                }
                "CommandState" => {
                    received.done |=
                        element.attribute("State").is_some_and(|state| state.ends_with("/Done"));
                }
                // Statuses of Windows are unsigned, but are written as if they were not.
                "ExitCode" => {
                    let number: Option<i64> = element.text.trim().parse().ok();
                    received.status = number.and_then(|number| {
                        u32::try_from(number)
                            .ok()
                            .or_else(|| i32::try_from(number).ok().map(i32::cast_unsigned))
                    });
                }
                _ => {}
            }
        }
        Ok(received)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn element(text: &str) -> Element {
        Element::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn faults_are_told_in_words_with_their_code() {
        let fault = |text: &str| Fault::of(&element(text)).unwrap();
        let full = fault(
            "<e><Body><Fault><Code><Value>s:Sender</Value><Subcode><Value>w:InvalidSelectors</Value>\
             </Subcode></Code><Reason><Text>The WS-Management service cannot process the request.\
             </Text></Reason><Detail><WSManFault Code=\"2150858843\" Machine=\"m\"><Message>The \
             shell was not\n found.  </Message></WSManFault></Detail></Fault></Body></e>",
        );
        assert_eq!(full.to_string(), "The shell was not found (code 2150858843)");
        assert!(!full.is_denied() && !full.is_timeout());
        let short = fault("<e><Fault><Reason><Text>No.</Text></Reason></Fault></e>");
        assert_eq!(short.to_string(), "No");
        let bare =
            fault("<Fault><Code><Subcode><Value>w:AccessDenied</Value></Subcode></Code></Fault>");
        assert_eq!(bare.to_string(), "w:AccessDenied");
        let odd = fault("<Fault><WSManFault Code=\"x\"/></Fault>");
        assert_eq!(odd.to_string(), "the service gives no reason");
        assert!(fault("<Fault><WSManFault Code=\"2150858793\"/></Fault>").is_timeout());
        assert_eq!(Fault::of(&element("<e/>")), None);
    }

    #[test]
    fn ids_and_limits_are_found() {
        let made = "<e><Shell><ShellId> A </ShellId></Shell></e>";
        assert_eq!(shell_id(&element(made)).unwrap(), "A");
        let made =
            "<e><Selector Name=\"x\">1</Selector><Selector Name=\"ShellId\">B</Selector></e>";
        assert_eq!(shell_id(&element(made)).unwrap(), "B");
        assert_eq!(shell_id(&element("<e><ShellId/></e>")), None);
        assert_eq!(command_id(&element("<e><CommandId>C</CommandId></e>")).unwrap(), "C");
        let limit = |kb: &str| {
            envelope_limit(&element(&format!("<MaxEnvelopeSizekb>{kb}</MaxEnvelopeSizekb>")))
        };
        assert_eq!(
            (limit("150"), limit("9999999"), limit("0")),
            (Some(150 << 10), Some(500 << 10), Some(32 << 10))
        );
        assert_eq!(limit("x"), None);
    }

    #[test]
    fn output_and_status_are_read() {
        let answer = element(
            "<e><ReceiveResponse><Stream Name=\"stdout\">aGVs\r\nbG8=</Stream>\
             <Stream Name=\"stderr\" End=\"true\"/><Stream Name=\"stderr\">IQ==</Stream>\
             <CommandState State=\"http://x/CommandState/Done\"><ExitCode>-1073741510</ExitCode>\
             </CommandState></ReceiveResponse></e>",
        );
        let received = Received::of(&answer).unwrap();
        let texts: Vec<_> =
            received.chunks.iter().map(|one| (one.stream, one.bytes.as_slice())).collect();
        assert_eq!(texts, [(Stream::Stdout, &b"hello"[..]), (Stream::Stderr, b"!")]);
        assert_eq!((received.done, received.status), (true, Some(0xC000_013A)));
        let running =
            "<e><ReceiveResponse><CommandState State=\"x/Running\"/></ReceiveResponse></e>";
        assert_eq!(Received::of(&element(running)), Ok(Received::default()));
        assert!(Received::of(&element("<e/>")).is_err());
        let wrong = "<ReceiveResponse><Stream Name=\"stdout\">*</Stream></ReceiveResponse>";
        assert!(Received::of(&element(wrong)).is_err());
    }

    #[test]
    fn an_answer_full_of_short_lines_is_read() {
        let stream = "<Stream Name=\"stdout\" CommandId=\"01234567-89AB-CDEF-0123-456789ABCDEF\">eAo=</Stream>";
        let full = (500 << 10) / stream.len();
        let answer = format!("<e><ReceiveResponse>{}</ReceiveResponse></e>", stream.repeat(full));
        assert_eq!(Received::of(&element(&answer)).unwrap().chunks.len(), full);
    }

    proptest! {
        #[test]
        fn odd_answers_are_an_error_at_most(name in "(Stream|ExitCode|CommandState|Fault|WSManFault|ShellId)", attribute in "(Name|State|Code)", value in "[ -~]{0,12}", text in "[ -~]{0,12}") {
            let escape = |text: &str| quick_xml::escape::escape(text).into_owned();
            let text = format!("<e><ReceiveResponse><{name} {attribute}=\"{}\">{}</{name}></ReceiveResponse></e>", escape(&value), escape(&text));
            let element = element(&text);
            drop(Received::of(&element));
            drop(Fault::of(&element).map(|fault| fault.to_string()));
            drop((shell_id(&element), envelope_limit(&element)));
        }
    }
}
