//! Asks the network.

use std::collections::BTreeMap;
use std::future::Future;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::rounds::LookUp;
use super::{amazon_ami, consul, fetch, http, parameter_store, secrets_manager, vault};
use crate::aws::{Access, AwsError, Client, OwnCloud};
use crate::template::lookup::{Answer, Question, Refusal};

/// What the process and the command line say about the world outside.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Environment variables: addresses and tokens of Vault and Consul.
    pub environment: BTreeMap<String, String>,
    /// A cloud of one's own, in place of the account that the template names.
    pub cloud: Option<OwnCloud>,
}

impl Surroundings {
    /// An environment variable that is set to something.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.variable(name)
            .is_some_and(|value| ["1", "t", "true"].contains(&&*value.to_lowercase()))
    }

    pub(super) fn is_false(&self, name: &str) -> bool {
        let all = ["0", "f", "false"];
        self.variable(name).is_some_and(|value| all.contains(&&*value.to_lowercase()))
    }
}

/// Asks the network, once it is asked itself: making one touches nothing.
pub struct Resolver {
    clients: Clients,
    http: OnceCell<reqwest::Client>,
}

/// Clients of AWS.
pub(super) struct Clients {
    surroundings: Surroundings,
}

impl Clients {
    pub(super) async fn client(&self, access: Access) -> Result<Client, Refusal> {
        let access = match &self.surroundings.cloud {
            Some(cloud) => access.in_own(cloud),
            None => access,
        };
        Client::connect(&access).await.map_err(|error| of_aws(&error))
    }
}

impl Resolver {
    /// One that asks in these surroundings.
    pub fn new(surroundings: Surroundings) -> Self {
        Self { clients: Clients { surroundings }, http: OnceCell::new() }
    }

    /// The region in which a question is asked; `None` for one that is asked of no cloud.
    ///
    /// # Errors
    /// No region is known.
    pub(super) async fn region(&self, question: &Question) -> Result<Option<String>, Refusal> {
        /// The part of a request that says whom to ask.
        #[derive(serde::Deserialize)]
        struct Addressed {
            #[serde(default)]
            access: Access,
        }
        if !asks_aws(question.kind()) {
            return Ok(None);
        }
        let access = question.request().map(|Addressed { access }| access);
        let client = self.clients.client(access.unwrap_or_default()).await?;
        Ok(Some(client.region().to_owned()))
    }

    async fn answer(&self, question: &Question) -> Result<Answer, Refusal> {
        if let Some(refusal) = question.refusal() {
            return Err(refusal);
        }
        let (clients, surroundings) = (&self.clients, &self.clients.surroundings);
        match question.kind() {
            "amazon-ami" => ask(question, |request| amazon_ami::answer(clients, request)).await,
            "amazon-parameterstore" => {
                ask(question, |request| parameter_store::answer(clients, request)).await
            }
            "amazon-secretsmanager" => {
                ask(question, |request| secrets_manager::answer(clients, request)).await
            }
            kind @ ("aws_secretsmanager" | "aws_secretsmanager_raw") => {
                let raw = kind == "aws_secretsmanager_raw";
                ask(question, |call| secrets_manager::answer_call(clients, call, raw)).await
            }
            "consul_key" => ask(question, |call| consul::answer(surroundings, call)).await,
            "vault" => ask(question, |call| vault::answer(surroundings, call)).await,
            "http" => {
                let client =
                    self.http.get_or_try_init(|| async { fetch::build(fetch::builder()) }).await?;
                ask(question, |request| http::answer(client, request)).await
            }
            kind => Err(Refusal::new(format!("nobody knows how to look up `{kind}`"))),
        }
    }
}

impl LookUp for Resolver {
    fn look_up<'a>(&'a self, question: &'a Question) -> BoxFuture<'a, Answer> {
        async move {
            tracing::debug!("looking up {}", question.kind());
            self.answer(question).await.unwrap_or_else(Answer::Refused)
        }
        .boxed()
    }
}

/// Whether questions of this kind go to AWS.
fn asks_aws(kind: &str) -> bool {
    kind.starts_with("amazon-") || kind.starts_with("aws_")
}

async fn ask<T: DeserializeOwned, F: Future<Output = Result<Answer, Refusal>>>(
    question: &Question,
    answer: impl FnOnce(T) -> F,
) -> Result<Answer, Refusal> {
    let request =
        question.request().map_err(|error| Refusal::new(format!("not understood: {error}")))?;
    answer(request).await
}

/// An error of AWS as it is said of a look-up.
pub(super) fn of_aws(error: &AwsError) -> Refusal {
    Refusal { message: error.to_string(), hints: error.hints() }
}

/// The address of a server, from an environment variable.
pub(super) fn base_url(variable: &str, address: &str) -> Result<reqwest::Url, Refusal> {
    let wrong = |what: &dyn std::fmt::Display| {
        Refusal::new(format!("{variable} is no address that bake knows: {what}"))
            .hint("write `http://HOST:PORT` or `https://HOST:PORT`")
    };
    let url = reqwest::Url::parse(address).map_err(|error| wrong(&error))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(wrong(&format!("`{other}`"))),
    }
}
