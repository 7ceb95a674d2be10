//! Which image to launch from.

use super::settings::SourceSettings;
use crate::aws::{Client, ImageQuery, NoImage};
use crate::build::{BuildError, ResolvedSource};

/// Finds the one image that the settings mean.
pub(super) async fn resolve(
    client: &Client,
    settings: &SourceSettings,
) -> Result<ResolvedSource, BuildError> {
    let option = if settings.filter.is_some() { "source_ami_filter" } else { "source_ami" };
    let mut query = ImageQuery { include_deprecated: true, ..ImageQuery::default() };
    if let Some(id) = &settings.id {
        query.ids = vec![match id.strip_prefix("resolve:ssm:") {
            Some(parameter) => parameter_value(client, parameter).await?,
            None => id.clone(),
        }];
    }
    let mut most_recent = false;
    if let Some(filter) = &settings.filter {
        query.filters.clone_from(&filter.filters);
        query.owners.clone_from(&filter.owners);
        query.include_deprecated = filter.include_deprecated;
        most_recent = filter.most_recent;
    }
    let image = match client.find_image(&query, most_recent).await {
        Ok(image) => image,
        Err(NoImage::Aws(error)) if error.is_code(&["InvalidAMIID.Malformed"]) => {
            return Err(BuildError::option("source_ami", error.message.clone()));
        }
        Err(NoImage::Aws(error)) => return Err(error.into()),
        Err(NoImage::Nothing { .. }) if settings.filter.is_none() => {
            return Err(no_such(client, &query));
        }
        Err(NoImage::Nothing { message, hints } | NoImage::Several { message, hints }) => {
            let error = BuildError::option(option, message);
            return Err(hints.into_iter().fold(error, |error, hint| error.hint(hint)));
        }
    };
    if !matches!(image.root_device_type.as_str(), "ebs" | "") {
        return Err(BuildError::option(
            option,
            format!(
                "the root device of {} is `{}`, and `amazon-ebs` needs `ebs`",
                image.id, image.root_device_type
            ),
        )
        .hint("add the filter `root-device-type = \"ebs\"`"));
    }
    if !matches!(image.state.as_str(), "available" | "") {
        return Err(BuildError::option(option, format!("{} is `{}`", image.id, image.state)));
    }
    Ok(ResolvedSource { region: client.region().to_owned(), image })
}

async fn parameter_value(client: &Client, name: &str) -> Result<String, BuildError> {
    let value = client.parameter(name).await.map_err(|error| {
        if error.is_not_found() {
            BuildError::option("source_ami", format!("there is no SSM parameter `{name}`"))
                .hint(format!("public parameters are per region: is it in `{}`?", client.region()))
        } else {
            error.into()
        }
    })?;
    let value = value.trim();
    // Some public parameters hold JSON with the id in it.
    let id = serde_json::from_str::<serde_json::Value>(value)
        .ok()
        .and_then(|json| json.get("image_id")?.as_str().map(ToOwned::to_owned))
        .unwrap_or_else(|| value.to_owned());
    if id.starts_with("ami-") {
        Ok(id)
    } else {
        Err(BuildError::option(
            "source_ami",
            format!("the SSM parameter `{name}` holds `{id}`, which is no image id"),
        ))
    }
}

/// There is no image of an id that was given.
fn no_such(client: &Client, query: &ImageQuery) -> BuildError {
    let id = query.ids.first().map_or("", String::as_str);
    let message = format!("there is no image `{id}` in {}", client.region());
    BuildError::option("source_ami", message).hint(
        "image ids differ between regions, and private images must be shared with the account",
    )
}
