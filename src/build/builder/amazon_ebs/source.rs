//! Which image to launch from.

use super::settings::SourceSettings;
use crate::aws::{Client, Filter, Image, ImageQuery};
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
    let mut images = match client.describe_images(&query).await {
        Ok(images) => images,
        Err(error) if error.is_not_found() => Vec::new(),
        Err(error) if error.is_code(&["InvalidAMIID.Malformed"]) => {
            return Err(BuildError::option("source_ami", error.message.clone()));
        }
        Err(error) => return Err(error.into()),
    };
    // RFC 3339 with a fixed width, so text order is time order; the id breaks ties for good.
    images.sort_by(|a, b| (&b.creation_date, &b.id).cmp(&(&a.creation_date, &a.id)));
    if images.len() > 1 && !most_recent {
        return Err(several(option, &images));
    }
    let Some(image) = images.into_iter().next() else {
        return Err(none(option, client, settings, &query));
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

fn none(
    option: &'static str,
    client: &Client,
    settings: &SourceSettings,
    query: &ImageQuery,
) -> BuildError {
    let region = client.region();
    if settings.filter.is_none() {
        let id = query.ids.first().map_or("", String::as_str);
        return BuildError::option(option, format!("there is no image `{id}` in {region}")).hint(
            "image ids differ between regions, and private images must be shared with the account",
        );
    }
    let said: Vec<_> = query
        .filters
        .iter()
        .map(|Filter { name, values }| format!("{name} = {}", values.join(",")))
        .chain((!query.owners.is_empty()).then(|| format!("owners = {}", query.owners.join(","))))
        .chain(query.ids.iter().map(|id| format!("id = {id}")))
        .collect();
    let error =
        BuildError::option(option, format!("no image in {region} matches {}", said.join(", ")))
            .hint("check the name pattern, the owners and the region");
    if query.include_deprecated {
        error
    } else {
        error.hint("deprecated images are left out without `include_deprecated = true`")
    }
}

fn several(option: &'static str, images: &[Image]) -> BuildError {
    let mut list: Vec<_> = images
        .iter()
        .take(3)
        .map(|image| format!("{} ({}, {})", image.id, image.name, image.creation_date))
        .collect();
    if images.len() > list.len() {
        list.push("…".to_owned());
    }
    BuildError::option(option, format!("{} images match: {}", images.len(), list.join(", ")))
        .hint("`most_recent = true` takes the newest; a narrower filter is the safer choice")
}
