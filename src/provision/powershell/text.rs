//! What is written for PowerShell.

use super::options::PowershellOptions;
use crate::template::schema::Deferred;

/// The program.
pub(super) fn shell(options: &PowershellOptions) -> &'static str {
    if options.use_pwsh { "pwsh" } else { "powershell" }
}

/// How a script is run unless the template says otherwise. Commands of `inline` bring their
/// variables and their end along; a script is called by a line that does that for it.
pub(super) fn usual_command(options: &PowershellOptions) -> Deferred {
    let mut text = shell(options).to_owned();
    if options.execution_policy != "none" {
        text.push_str(&format!(" -executionpolicy {}", options.execution_policy));
    }
    if !options.scripting.inline.is_empty() || options.execution_policy == "none" {
        text.push_str(" -file {{.Path}}");
        return Deferred::new(text);
    }
    if options.use_pwsh {
        text.push_str(" -command");
    }
    let trace = match options.debug_mode {
        0 => String::new(),
        level => format!("Set-PsDebug -Trace {level}; "),
    };
    text.push_str(&format!(
        " \"& {{ Set-Variable -Scope Global -Name ProgressPreference -Value SilentlyContinue; \
         {trace}. '{{{{.Vars}}}}'; & '{{{{.Path}}}}'; exit $LastExitCode }}\""
    ));
    Deferred::new(text)
}

/// Commands as a script that says what went wrong and ends with the status of the last program
/// that failed, or 1.
pub(super) fn of_commands(commands: &[String], variables: &str, trace: i64) -> String {
    let mut text = String::from("$ProgressPreference = 'SilentlyContinue'\n");
    if trace != 0 {
        text.push_str(&format!("Set-PsDebug -Trace {trace}\n"));
    }
    text.push_str("$bakeStatus = 0\ntry {\n");
    text.push_str(variables);
    text.push('\n');
    for command in commands {
        text.push_str(command);
        text.push('\n');
    }
    text.push_str(
        "} catch {
Write-Error -ErrorRecord $_ -ErrorAction Continue
$bakeStatus = 1
}
if ((Test-Path Variable:Global:LastExitCode) -and $Global:LastExitCode -ne 0) {
$bakeStatus = $Global:LastExitCode
}
exit $bakeStatus
",
    );
    text
}
