//! Run Command: scripts on an instance, through its agent.

use std::time::Duration;

use aws_sdk_ssm::types;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::session::session_error;
use super::{AwsError, Client};
use crate::communicator::ssm::{
    AgentInformation, Invocation, RunCommand, SendCommand, SessionError,
};

/// The longest comment.
const COMMENT: usize = 100;

impl Client {
    /// Sends a script to an instance; gives the command's id.
    pub async fn send_command(&self, command: &SendCommand) -> Result<String, AwsError> {
        const ACTION: &str = "SendCommand";
        let execution =
            command.execution.clamp(Duration::from_secs(5), Duration::from_secs(172_800));
        let delivery =
            command.delivery.clamp(Duration::from_secs(30), Duration::from_secs(2_592_000));
        let output = self
            .ssm
            .send_command()
            .document_name(command.document.name())
            .instance_ids(&command.instance)
            .parameters("commands", vec![command.script.clone()])
            .parameters("executionTimeout", vec![execution.as_secs().to_string()])
            .timeout_seconds(i32::try_from(delivery.as_secs()).unwrap_or(i32::MAX))
            .comment(command.comment.chars().take(COMMENT).collect::<String>())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", ACTION, Some(&command.instance), error))?;
        output
            .command
            .and_then(|command| command.command_id)
            .ok_or_else(|| self.incomplete("ssm", ACTION, "command id"))
    }

    /// How far a command is on an instance; `None` when the service does not know it (yet).
    pub async fn command_invocation(
        &self,
        id: &str,
        instance: &str,
    ) -> Result<Option<Invocation>, AwsError> {
        let output = self
            .ssm
            .get_command_invocation()
            .command_id(id)
            .instance_id(instance)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", "GetCommandInvocation", Some(id), error));
        match output {
            Ok(output) => Ok(Some(Invocation {
                status: output.status.map(|status| status.as_str().to_owned()).unwrap_or_default(),
                details: output.status_details.unwrap_or_default(),
                exit_code: output.response_code,
                stdout: output.standard_output_content.unwrap_or_default(),
                stderr: output.standard_error_content.unwrap_or_default(),
            })),
            Err(error) if error.is_code(&["InvocationDoesNotExist"]) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for a command to be cancelled.
    pub async fn cancel_command(&self, id: &str, instance: &str) -> Result<(), AwsError> {
        self.ssm
            .cancel_command()
            .command_id(id)
            .instance_ids(instance)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", "CancelCommand", Some(id), error))?;
        Ok(())
    }

    /// What the service knows of an instance's agent; `None` when it has not registered.
    pub async fn agent_information(
        &self,
        instance: &str,
    ) -> Result<Option<AgentInformation>, AwsError> {
        const ACTION: &str = "DescribeInstanceInformation";
        let filter = types::InstanceInformationStringFilter::builder()
            .key("InstanceIds")
            .values(instance)
            .build()
            .map_err(|_| self.incomplete("ssm", ACTION, "filter"))?;
        let output = self
            .ssm
            .describe_instance_information()
            .filters(filter)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ssm", ACTION, Some(instance), error))?;
        Ok(output.instance_information_list.unwrap_or_default().into_iter().next().map(|found| {
            let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
            AgentInformation {
                ping_status: text(found.ping_status.as_ref().map(types::PingStatus::as_str)),
                agent_version: found.agent_version.unwrap_or_default(),
                platform: text(found.platform_type.as_ref().map(types::PlatformType::as_str)),
            }
        }))
    }
}

impl RunCommand for Client {
    fn send(&self, command: SendCommand) -> BoxFuture<'_, Result<String, SessionError>> {
        async move { self.send_command(&command).await.map_err(|error| session_error(&error)) }
            .boxed()
    }

    fn invocation(
        &self,
        id: String,
        instance: String,
    ) -> BoxFuture<'_, Result<Option<Invocation>, SessionError>> {
        async move {
            let found = self.command_invocation(&id, &instance).await;
            found.map_err(|error| session_error(&error))
        }
        .boxed()
    }

    fn cancel(&self, id: String, instance: String) -> BoxFuture<'_, Result<(), SessionError>> {
        async move {
            let cancelled = self.cancel_command(&id, &instance).await;
            cancelled.map_err(|error| session_error(&error))
        }
        .boxed()
    }

    fn agent(
        &self,
        instance: String,
    ) -> BoxFuture<'_, Result<Option<AgentInformation>, SessionError>> {
        async move {
            let found = self.agent_information(&instance).await;
            found.map_err(|error| session_error(&error))
        }
        .boxed()
    }

    fn is_connected(&self, instance: String) -> BoxFuture<'_, Result<bool, SessionError>> {
        async move {
            let connected = self.is_agent_connected(&instance).await;
            connected.map_err(|error| session_error(&error))
        }
        .boxed()
    }

    fn gone(&self, instance: String) -> BoxFuture<'_, Result<Option<String>, SessionError>> {
        async move {
            let found = self.instance(&instance).await.map_err(|error| session_error(&error))?;
            Ok(found
                .map(|instance| instance.state)
                .filter(|state| ["shutting-down", "terminated"].contains(&state.as_str())))
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::session::tests::FakeSsm;
    use super::*;
    use crate::communicator::ssm::{Document, SessionErrorKind};

    #[tokio::test]
    async fn a_command_is_sent_looked_at_and_cancelled() {
        let (client, fake) = FakeSsm::client(vec![
            (200, json!({"Command": {"CommandId": "c-1"}})),
            (400, json!({"__type": "InvocationDoesNotExist"})),
            (
                200,
                json!({
                    "Status": "Failed", "StatusDetails": "Failed", "ResponseCode": 3,
                    "StandardOutputContent": "out", "StandardErrorContent": "err",
                }),
            ),
            (200, json!({})),
            (400, json!({"__type": "InvalidInstanceId"})),
        ])
        .await;
        let command = SendCommand {
            instance: "i-1".to_owned(),
            document: Document::Shell,
            script: "echo out\nexit 3".to_owned(),
            delivery: Duration::from_secs(1),
            execution: Duration::from_secs(1),
            comment: "c".repeat(200),
        };
        let id = RunCommand::send(&client, command.clone()).await.unwrap();
        let look = || RunCommand::invocation(&client, id.clone(), "i-1".to_owned());
        assert_eq!(look().await.unwrap(), None, "not known yet");
        let invocation = look().await.unwrap().unwrap();
        assert_eq!((invocation.status.as_str(), invocation.exit_code), ("Failed", 3));
        assert_eq!((invocation.stdout.as_str(), invocation.stderr.as_str()), ("out", "err"));
        RunCommand::cancel(&client, id.clone(), "i-1".to_owned()).await.unwrap();
        let error = RunCommand::send(&client, command).await.unwrap_err();
        assert_eq!(error.kind, SessionErrorKind::TargetNotConnected);
        let asked = fake.asked();
        let (_, sent) = &asked[0];
        assert_eq!(sent["TimeoutSeconds"], 30, "the least that the service takes");
        assert_eq!(sent["Parameters"]["executionTimeout"], json!(["5"]));
        assert_eq!(sent["Comment"].as_str().unwrap().len(), COMMENT);
        let actions: Vec<_> = asked.iter().map(|(action, _)| action.as_str()).collect();
        let looked = ["GetCommandInvocation", "GetCommandInvocation", "CancelCommand"];
        assert_eq!(actions[1..4], looked);
    }

    #[tokio::test]
    async fn an_agent_is_known_once_it_has_registered() {
        let (client, _) = FakeSsm::client(vec![
            (200, json!({"InstanceInformationList": []})),
            (
                200,
                json!({"InstanceInformationList": [{
                    "InstanceId": "i-1", "PingStatus": "Online",
                    "AgentVersion": "3.3.808.0", "PlatformType": "Linux",
                }]}),
            ),
        ])
        .await;
        assert_eq!(client.agent_information("i-1").await.unwrap(), None);
        assert_eq!(
            client.agent_information("i-1").await.unwrap(),
            Some(AgentInformation {
                ping_status: "Online".to_owned(),
                agent_version: "3.3.808.0".to_owned(),
                platform: "Linux".to_owned(),
            })
        );
    }
}
