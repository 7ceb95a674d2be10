//! Lists that come in parts.

use super::{AwsError, AwsErrorKind, Client};

/// How many things EC2 and IAM list at a time, at most.
pub(super) const PAGE: i32 = 1000;

/// How many parts a list may have: more than there may be of anything in an account.
const MOST: usize = 1000;

/// How many things to ask for at a time. EC2 takes no such limit together with ids.
pub(super) fn page_size(ids: &[String]) -> Option<i32> {
    ids.is_empty().then_some(PAGE)
}

/// All parts of what a Describe call of EC2 lists by ids and filters. The calls have types of their own,
/// so that a function cannot do it: `$describe` is the call, `$set_ids` its setter of ids, and `$things`
/// where an answer has what it lists.
macro_rules! described {
    ($client:expr, $action:literal, $describe:expr, $set_ids:ident($ids:expr), $by:expr, $things:ident) => {{
        let page = |token| async move {
            let call = $describe.$set_ids(list($ids)).set_filters(filters($by));
            let call = call.set_max_results(page_size($ids)).set_next_token(token);
            let output = call.send().boxed().await;
            let output = output.map_err(|error| $client.failed_for($action, $ids, error))?;
            Ok((output.$things.unwrap_or_default(), output.next_token))
        };
        $client.all_pages("ec2", $action, page).await
    }};
}
pub(super) use described;

impl Client {
    /// All parts of a list, one after the other: `ask` gets what the part before gave for the next
    /// one, and gives that again.
    ///
    /// # Errors
    /// That of the call that failed, or that the list does not end.
    pub(super) async fn all_pages<T, F>(
        &self,
        service: &'static str,
        action: &'static str,
        mut ask: impl FnMut(Option<String>) -> F,
    ) -> Result<Vec<T>, AwsError>
    where
        F: Future<Output = Result<(Vec<T>, Option<String>), AwsError>>,
    {
        let mut found = Vec::new();
        let mut token = None;
        for _ in 0..MOST {
            let (part, next) = ask(token.clone()).await?;
            found.extend(part);
            let next = next.filter(|next| !next.is_empty());
            if next.is_none() {
                return Ok(found);
            }
            if next == token {
                break;
            }
            token = next;
        }
        let message = "the list does not end".to_owned();
        Err(self.failure(AwsErrorKind::Malformed, service, action, None, message))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
    use aws_smithy_types::body::SdkBody;

    use super::super::{Access, Filter, ImageQuery, StaticCredentials};
    use super::*;

    /// How many things each list has, and how many of them come at a time.
    const THINGS: usize = 7;
    const AT_A_TIME: usize = 3;

    type Form = BTreeMap<String, String>;

    /// Lists seven of whatever it is asked for, three at a time.
    #[derive(Clone, Debug, Default)]
    struct Lists {
        asked: Arc<Mutex<Vec<Form>>>,
        /// Gives the same token for ever.
        endless: bool,
    }

    impl Lists {
        async fn client(&self) -> Client {
            let lists = self.clone();
            let http = http_client_fn(move |_, _| SharedHttpConnector::new(lists.clone()));
            let access = Access {
                region: Some("eu-west-1".to_owned()),
                credentials: Some(StaticCredentials {
                    access_key: "AKID".to_owned(),
                    secret_key: "unused".to_owned(),
                    token: None,
                }),
                max_retries: Some(1),
                http: Some(http),
                ..Access::default()
            };
            Client::connect(&access).await.expect("is made without a call")
        }

        /// What a parameter was in each call of an action.
        fn given(&self, action: &str, parameter: &str) -> Vec<Option<String>> {
            let asked = self.asked.lock().expect("not poisoned");
            let calls = asked.iter().filter(|form| form.get("Action").is_some_and(|a| a == action));
            calls.map(|form| form.get(parameter).cloned()).collect()
        }

        fn answer(&self, form: &Form) -> String {
            let action = form.get("Action").map_or("", String::as_str);
            if let Some(name) = form.get("RoleName").or_else(|| form.get("InstanceProfileName")) {
                return of_one(action, name);
            }
            let token = form.get("NextToken").or_else(|| form.get("Marker"));
            let from = token.and_then(|token| token.parse().ok()).unwrap_or(0);
            let to = (from + AT_A_TIME).min(THINGS);
            let next = match (to < THINGS, self.endless) {
                (_, true) => "3".to_owned(),
                (true, false) => to.to_string(),
                (false, false) => String::new(),
            };
            let all = |item: &dyn Fn(usize) -> String| (from..to).map(item).collect::<String>();
            let ec2 = |set: &str, item: &dyn Fn(usize) -> String| {
                let items = all(&|n| format!("<item>{}</item>", item(n)));
                format!(
                    "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><{set}>{items}</{set}><nextToken>{next}</nextToken></{action}Response>"
                )
            };
            let iam = |set: &str, item: &dyn Fn(usize) -> String| {
                let items = all(&|n| format!("<member>{}</member>", item(n)));
                let more = !next.is_empty();
                let marker = if more { format!("<Marker>{next}</Marker>") } else { String::new() };
                format!(
                    "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result><{set}>{items}</{set}><IsTruncated>{more}</IsTruncated>{marker}</{action}Result></{action}Response>"
                )
            };
            match action {
                "DescribeInstances" => ec2("reservationSet", &|n| {
                    format!(
                        "<instancesSet><item><instanceId>i-{n}</instanceId></item></instancesSet>"
                    )
                }),
                "DescribeVolumes" => ec2("volumeSet", &|n| format!("<volumeId>vol-{n}</volumeId>")),
                "DescribeSnapshots" => {
                    ec2("snapshotSet", &|n| format!("<snapshotId>snap-{n}</snapshotId>"))
                }
                "DescribeImages" => ec2("imagesSet", &|n| format!("<imageId>ami-{n}</imageId>")),
                "DescribeSecurityGroups" => {
                    ec2("securityGroupInfo", &|n| format!("<groupId>sg-{n}</groupId>"))
                }
                "ListRoles" => iam("Roles", &|n| {
                    format!(
                        "<Path>/</Path><RoleName>packer_{n}</RoleName><RoleId>R{n}</RoleId><Arn>arn:r{n}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate>"
                    )
                }),
                "ListInstanceProfiles" => iam("InstanceProfiles", &|n| {
                    format!(
                        "<Path>/</Path><InstanceProfileName>packer_{n}</InstanceProfileName><InstanceProfileId>P{n}</InstanceProfileId><Arn>arn:p{n}</Arn><CreateDate>2026-01-01T00:00:00Z</CreateDate><Roles></Roles>"
                    )
                }),
                other => panic!("nobody thought of {other}"),
            }
        }
    }

    /// What belongs to one role or profile, in one part.
    fn of_one(action: &str, name: &str) -> String {
        let tag = format!("<member><Key>bake:run-id</Key><Value>{name}</Value></member>");
        format!(
            "<{action}Response xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><{action}Result><Tags>{tag}</Tags><IsTruncated>false</IsTruncated></{action}Result></{action}Response>"
        )
    }

    impl HttpConnector for Lists {
        fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
            let body = request.body().bytes().unwrap_or_default();
            let form: Form = form_urlencoded::parse(body).into_owned().collect();
            let answer = self.answer(&form);
            self.asked.lock().expect("not poisoned").push(form);
            let status = 200.try_into().expect("a status");
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
        }
    }

    #[tokio::test]
    async fn every_part_of_every_list_is_asked_for() {
        let lists = Lists::default();
        let client = lists.client().await;
        let by = [Filter::new("tag-key", "bake:run-id")];
        let numbered =
            |prefix: &str| (0..THINGS).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
        let ids = |found: Vec<String>, prefix: &str| assert_eq!(found, numbered(prefix));

        let found = client.describe_instances(&[], &by).await.expect("is listed");
        ids(found.into_iter().map(|one| one.id).collect(), "i-");
        let found = client.describe_volumes(&[], &by).await.expect("is listed");
        ids(found.into_iter().map(|one| one.id).collect(), "vol-");
        let found = client.describe_snapshots(&[], &by).await.expect("is listed");
        ids(found.into_iter().map(|one| one.id).collect(), "snap-");
        let found = client.describe_security_groups(&[], &by).await.expect("is listed");
        ids(found.into_iter().map(|one| one.id).collect(), "sg-");
        let own = ImageQuery { owners: vec!["self".to_owned()], ..ImageQuery::default() };
        let found = client.describe_images(&own).await.expect("is listed");
        ids(found.into_iter().map(|one| one.id).collect(), "ami-");
        let found = client.roles_named("packer_").await.expect("is listed");
        ids(found.into_iter().map(|(name, _)| name).collect(), "packer_");
        let found = client.instance_profiles_named("packer_").await.expect("is listed");
        ids(found.into_iter().map(|(name, _)| name).collect(), "packer_");

        for action in [
            "DescribeInstances",
            "DescribeVolumes",
            "DescribeSnapshots",
            "DescribeSecurityGroups",
            "DescribeImages",
        ] {
            let tokens = [None, Some("3".to_owned()), Some("6".to_owned())];
            assert_eq!(lists.given(action, "NextToken"), tokens, "{action}");
            assert_eq!(lists.given(action, "MaxResults"), vec![Some("1000".to_owned()); 3]);
        }
        for action in ["ListRoles", "ListInstanceProfiles"] {
            assert_eq!(lists.given(action, "MaxItems"), vec![Some("1000".to_owned()); 3]);
        }
    }

    #[tokio::test]
    async fn ids_are_asked_for_without_a_limit_which_ec2_would_refuse() {
        let lists = Lists::default();
        let client = lists.client().await;
        let (instance, volume) = (["i-0".to_owned()], ["vol-0".to_owned()]);
        client.describe_instances(&instance, &[]).await.expect("is listed");
        client.describe_volumes(&volume, &[]).await.expect("is listed");
        for action in ["DescribeInstances", "DescribeVolumes"] {
            assert!(lists.given(action, "MaxResults").iter().all(Option::is_none), "{action}");
        }
        // All the world's images come without a limit, too: a filter is applied to each part, and
        // most parts would be empty.
        client.describe_images(&ImageQuery::default()).await.expect("is listed");
        assert!(lists.given("DescribeImages", "MaxResults").iter().all(Option::is_none));
    }

    #[tokio::test]
    async fn a_list_that_does_not_end_is_an_error() {
        let lists = Lists { endless: true, ..Lists::default() };
        let client = lists.client().await;
        let error = client.describe_volumes(&[], &[]).await.expect_err("it never ends");
        assert!(error.to_string().contains("the list does not end"), "{error}");
        assert_eq!(lists.given("DescribeVolumes", "NextToken").len(), 2);
    }
}
