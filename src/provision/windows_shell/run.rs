//! Running a `windows-shell` step.

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::options::WindowsShellOptions;
use crate::provision::script::line_end::{WINDOWS, with_line_ends};
use crate::provision::script::{Script, environment};
use crate::provision::{ProvisionError, StepRun, windows};
use crate::template::schema::UnknownField;
use crate::value::Value;

/// Runs all scripts of a step. As in Packer, the last one stays on the instance.
pub(super) fn run<'a>(step: &'a StepRun<'a>) -> BoxFuture<'a, Result<(), ProvisionError>> {
    async move {
        let around = step.surroundings();
        let schema = WindowsShellOptions::schema();
        let decoded = around
            .component
            .decode(Some(around.data), schema, WindowsShellOptions::decode_options)
            .map_err(ProvisionError::Options)?;
        let options = decoded.options;
        let mut scripts = Vec::new();
        if !options.scripting.inline.is_empty() {
            let commands = around.render_all("inline", &options.scripting.inline)?;
            let text: String = commands.iter().map(|one| format!("{one}\n")).collect();
            scripts.push(Script { name: "inline".into(), bytes: text.into_bytes() });
        }
        scripts.extend(around.local_scripts(&options.scripting)?);

        let variables = around.variables(&options.scripting)?;
        let format = &options.env_var_format;
        let variables = environment::write_escaped(format, &variables, str::to_owned)
            .map_err(|message| ProvisionError::Render { option: "env_var_format", message })?;
        let mut fields = around.data.clone();
        for (name, text) in [("Path", &options.remote_path), ("Vars", &variables)] {
            fields.insert(name.to_owned(), Value::string(text));
        }
        let template = &options.execute_command;
        let command = around.render("execute_command", template, &fields, UnknownField::Refuse)?;

        let several = scripts.len() > 1;
        for script in scripts {
            if several {
                step.say(format!("Provisioning with windows-shell script: {}", script.name)).await;
            }
            let bytes = match options.binary {
                true => script.bytes,
                false => with_windows_lines(&script.bytes),
            };
            let files = [(options.remote_path.clone(), bytes)];
            let exit = windows::start(step, &files, &command, options.start_retry_timeout).await?;
            options.scripting.judge(exit)?;
        }
        Ok(())
    }
    .boxed()
}

/// With the line ends that `cmd.exe` needs to find its labels. Text of another encoding than one
/// of bytes stays as it is.
fn with_windows_lines(bytes: &[u8]) -> Vec<u8> {
    if bytes.contains(&0) {
        return bytes.to_vec();
    }
    with_line_ends(bytes, WINDOWS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::communicator::{CommunicatorError, Exit};
    use crate::provision::test_support::{Local, plan_steps, run_all, said, story};
    use tokio_util::sync::CancellationToken;

    async fn run(local: &Local, body: &str) -> (Result<(), ProvisionError>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("one.bat"), "echo one\ngoto end\r\n:end").unwrap();
        std::fs::write(folder.path().join("two.bat"), "echo two").unwrap();
        let text = format!("provisioner \"windows-shell\" {{\n{body}\n}}");
        let plan = plan_steps(folder.path(), &text).unwrap_or_else(|found| panic!("{found}"));
        let (result, told) = run_all(&plan, local, &CancellationToken::new()).await;
        (result, said(&told))
    }

    #[tokio::test]
    async fn commands_are_one_batch_file() {
        let local = Local::answering([Ok(Exit::Code(0))]);
        let body = "environment_vars = [\"A=it's\"]\ninline = [\"dir\", \"echo ${build.Host}\"]";
        run(&local, body).await.0.unwrap();
        insta::assert_snapshot!(story(&local), @r#"
        put c:/Windows/Temp/script.bat: "dir\r\necho 198.51.100.7\r\n"
        run set "A=it's" && set "PACKER_BUILDER_TYPE=vm" && set "PACKER_BUILD_NAME=app" && "c:/Windows/Temp/script.bat"
        "#);
    }

    #[tokio::test]
    async fn scripts_follow_each_other_until_one_fails() {
        let answers = [Ok(Exit::Code(3)), Ok(Exit::Code(4))];
        let local = Local::answering(answers);
        let body = r#"
            scripts          = ["one.bat", "two.bat"]
            remote_path      = "d:/x.cmd"
            valid_exit_codes = [0, 3]
            execute_command  = "call {{ .Path }}""#;
        let (result, said) = run(&local, body).await;
        insta::assert_snapshot!(result.unwrap_err(), @"Script exited with non-zero exit status: 4. Allowed exit codes are: [0, 3]");
        insta::assert_snapshot!(story(&local), @r#"
        put d:/x.cmd: "echo one\r\ngoto end\r\n:end\r\n"
        run call d:/x.cmd
        put d:/x.cmd: "echo two\r\n"
        run call d:/x.cmd
        "#);
        assert_eq!(said[1], "Provisioning with windows-shell script: one.bat");
    }

    #[tokio::test]
    async fn variables_are_written_as_the_template_says() {
        let local = Local::answering([Ok(Exit::Code(0))]);
        let body = "inline = [\"dir\"]\nenv = { A = \"b c\" }\nenv_var_format = \"(%s=%s)\"";
        run(&local, body).await.0.unwrap();
        let command = story(&local).lines().last().unwrap().to_owned();
        insta::assert_snapshot!(command, @r#"run (A=b c)(PACKER_BUILDER_TYPE=vm)(PACKER_BUILD_NAME=app)"c:/Windows/Temp/script.bat""#);
    }

    #[tokio::test]
    async fn starting_is_tried_again_for_as_long_as_the_template_says() {
        let lost = || {
            Err(CommunicatorError::Lost { address: "i-1".to_owned(), reason: "reset".to_owned() })
        };
        let local = Local::answering([lost(), Ok(Exit::Code(0))]);
        run(&local, "inline = [\"dir\"]").await.0.unwrap();
        assert_eq!(local.count(), 2);
        let local = Local::answering([lost(), Ok(Exit::Code(0))]);
        let body = "inline = [\"dir\"]\nstart_retry_timeout = \"1s\"";
        let (result, _) = run(&local, body).await;
        assert!(matches!(result, Err(ProvisionError::Communicator(_))), "{result:?}");
        assert_eq!(local.count(), 1);
    }

    #[tokio::test]
    async fn what_is_binary_or_wide_stays_as_it_is() {
        let local = Local::answering([Ok(Exit::Code(0))]);
        run(&local, "script = \"one.bat\"\nbinary = true").await.0.unwrap();
        assert!(story(&local).contains(r#""echo one\ngoto end\r\n:end""#));
        assert_eq!(with_windows_lines(b"a\0\n\0"), b"a\0\n\0");
    }
}
