//! Questions for a version of a secret.

use serde_json::{Value as Json, json};

use crate::template::lookup::Question;

/// The same question for the version that `identity` says, as answers have it: `…#VERSION`. `None`
/// for what has no versions.
pub(super) fn at_version(question: &Question, identity: &str) -> Option<Question> {
    let (_, version) = identity.rsplit_once('#')?;
    let Ok(Json::Object(mut request)) = question.request() else { return None };
    match question.kind() {
        "amazon-secretsmanager" | "aws_secretsmanager" | "aws_secretsmanager_raw" => {
            request.insert("version_id".to_owned(), json!(version));
            // AWS takes both only where they mean the same version.
            request.remove("version_stage");
        }
        "amazon-parameterstore" => {
            let name = without_selector(request.get("name")?.as_str()?);
            request.insert("name".to_owned(), json!(format!("{name}:{version}")));
        }
        "vault" => {
            request.insert("version".to_owned(), json!(version.parse::<u64>().ok()?));
        }
        _ => return None,
    }
    Some(Question::new(question.kind(), &Json::Object(request)))
}

/// The name or ARN of a parameter without the version or label that may follow it.
fn without_selector(name: &str) -> &str {
    let start = name.find(":parameter/").map_or(0, |at| at + ":parameter/".len());
    let selector = name.get(start..).and_then(|rest| rest.find(':'));
    selector.and_then(|at| name.get(..start + at)).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versioned(kind: &str, request: &Json, identity: &str) -> Option<Json> {
        at_version(&Question::new(kind, request), identity).and_then(|one| one.request().ok())
    }

    #[test]
    fn each_service_is_asked_for_a_version_in_its_way() {
        let asked = json!({ "name": "app", "version_stage": "AWSCURRENT" });
        assert_eq!(
            versioned("amazon-secretsmanager", &asked, "arn:x#v1"),
            Some(json!({ "name": "app", "version_id": "v1" }))
        );
        assert_eq!(
            versioned("aws_secretsmanager", &json!({ "name": "app", "key": null }), "arn:x#v1"),
            Some(json!({ "name": "app", "key": null, "version_id": "v1" }))
        );
        let parameter = |name: &str| {
            versioned("amazon-parameterstore", &json!({ "name": name }), "arn:x#7")
                .and_then(|request| request["name"].as_str().map(str::to_owned))
        };
        assert_eq!(parameter("/app/key").as_deref(), Some("/app/key:7"));
        assert_eq!(parameter("/app/key:3").as_deref(), Some("/app/key:7"));
        assert_eq!(
            parameter("arn:aws:ssm:eu-west-1:1:parameter/app/key:live").as_deref(),
            Some("arn:aws:ssm:eu-west-1:1:parameter/app/key:7")
        );
        let vault = json!({ "path": "secret/data/app", "key": "k" });
        assert_eq!(
            versioned("vault", &vault, "vault:secret/data/app#12"),
            Some(json!({ "path": "secret/data/app", "key": "k", "version": 12 }))
        );
        assert_eq!(versioned("vault", &vault, "vault:secret/data/app#x"), None);
        assert_eq!(versioned("http", &json!({}), "x#1"), None);
    }
}
