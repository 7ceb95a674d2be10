//! Images.

use aws_config::retry::RetryConfig;
use aws_sdk_ec2::operation::create_image::builders::CreateImageFluentBuilder;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types;
use futures::FutureExt as _;

use super::pages::page_size;
use super::query::{devices, filters, list};
use super::tag::{from_sdk, specification};
use super::{AwsError, BlockDevice, Client, Filter, Tags};

/// Which images to describe; all conditions together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageQuery {
    /// These ids.
    pub ids: Vec<String>,
    /// Accounts, or `self`, `amazon`, `aws-marketplace`.
    pub owners: Vec<String>,
    /// Filters.
    pub filters: Vec<Filter>,
    /// Also deprecated ones.
    pub include_deprecated: bool,
}

/// An image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `pending`, `available`, `failed`, …
    pub state: String,
    /// Why it is in that state.
    pub state_reason: Option<String>,
    /// When it was made, as EC2 writes it (RFC 3339).
    pub creation_date: String,
    /// Account of its owner.
    pub owner_id: String,
    /// `amazon`, `aws-marketplace` and the like.
    pub owner_alias: Option<String>,
    /// `x86_64`, `arm64`, …
    pub architecture: String,
    /// `hvm` or `paravirtual`.
    pub virtualization_type: String,
    /// `ebs` or `instance-store`.
    pub root_device_type: String,
    /// The root device, such as `/dev/xvda`.
    pub root_device_name: Option<String>,
    /// `legacy-bios`, `uefi`, `uefi-preferred`.
    pub boot_mode: Option<String>,
    /// Whether ENA is on.
    pub ena_support: Option<bool>,
    /// `v2.0` when instances need IMDSv2.
    pub imds_support: Option<String>,
    /// `v2.0` when there is a TPM.
    pub tpm_support: Option<String>,
    /// `windows`, or nothing for others.
    pub platform: Option<String>,
    /// The instance that it was made of.
    pub source_instance_id: Option<String>,
    /// The image that it was copied from, or that its instance was launched from.
    pub source_image_id: Option<String>,
    /// Snapshots of its EBS devices, as far as they are known.
    pub snapshot_ids: Vec<String>,
    /// How many of its devices are EBS.
    pub ebs_devices: usize,
    /// Its tags.
    pub tags: Tags,
}

impl Image {
    fn from_sdk(image: types::Image) -> Option<Self> {
        let mappings = image.block_device_mappings.unwrap_or_default();
        let ebs: Vec<_> = mappings.into_iter().filter_map(|mapping| mapping.ebs).collect();
        Some(Self {
            id: image.image_id?,
            name: image.name.unwrap_or_default(),
            state: image.state.map(|state| state.as_str().to_owned()).unwrap_or_default(),
            state_reason: image.state_reason.and_then(|reason| reason.message),
            creation_date: image.creation_date.unwrap_or_default(),
            owner_id: image.owner_id.unwrap_or_default(),
            owner_alias: image.image_owner_alias,
            architecture: image.architecture.map(|one| one.as_str().to_owned()).unwrap_or_default(),
            virtualization_type: image
                .virtualization_type
                .map(|one| one.as_str().to_owned())
                .unwrap_or_default(),
            root_device_type: image
                .root_device_type
                .map(|one| one.as_str().to_owned())
                .unwrap_or_default(),
            root_device_name: image.root_device_name,
            boot_mode: image.boot_mode.map(|one| one.as_str().to_owned()),
            ena_support: image.ena_support,
            imds_support: image.imds_support.map(|one| one.as_str().to_owned()),
            tpm_support: image.tpm_support.map(|one| one.as_str().to_owned()),
            platform: image.platform.map(|one| one.as_str().to_owned()),
            source_instance_id: image.source_instance_id,
            source_image_id: image.source_image_id,
            ebs_devices: ebs.len(),
            snapshot_ids: ebs.into_iter().filter_map(|ebs| ebs.snapshot_id).collect(),
            tags: from_sdk(image.tags),
        })
    }
}

/// An image to make of an instance.
#[derive(Clone, Debug, Default)]
pub struct CreateImage {
    /// The instance.
    pub instance_id: String,
    /// The image's name.
    pub name: String,
    /// Its description.
    pub description: Option<String>,
    /// Devices that differ from the instance's.
    pub devices: Vec<BlockDevice>,
    /// Tags for the image.
    pub tags: Tags,
    /// Tags for its snapshots.
    pub snapshot_tags: Tags,
}

/// Who may launch an image besides its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct ImagePermission {
    /// Accounts.
    pub users: Vec<String>,
    /// `all`.
    pub groups: Vec<String>,
    /// Organizations.
    pub organization_arns: Vec<String>,
    /// Organizational units.
    pub unit_arns: Vec<String>,
}

impl ImagePermission {
    /// Whether it names nobody.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
            && self.groups.is_empty()
            && self.organization_arns.is_empty()
            && self.unit_arns.is_empty()
    }

    fn to_sdk(&self) -> types::LaunchPermissionModifications {
        let one = types::LaunchPermission::builder;
        let permissions = self
            .users
            .iter()
            .map(|user| one().user_id(user).build())
            .chain(
                self.groups
                    .iter()
                    .map(|group| one().group(types::PermissionGroup::from(group.as_str())).build()),
            )
            .chain(self.organization_arns.iter().map(|arn| one().organization_arn(arn).build()))
            .chain(self.unit_arns.iter().map(|arn| one().organizational_unit_arn(arn).build()))
            .collect();
        types::LaunchPermissionModifications::builder().set_add(Some(permissions)).build()
    }
}

impl Client {
    /// Images that fit a query, in no particular order.
    pub async fn describe_images(&self, query: &ImageQuery) -> Result<Vec<Image>, AwsError> {
        // Filters are applied to each part of a list: of all the world's images, most would be empty.
        let size = page_size(&query.ids).filter(|_| query.owners == ["self"]);
        let page = |token| async move {
            let output = self
                .ec2
                .describe_images()
                .set_image_ids(list(&query.ids))
                .set_owners(list(&query.owners))
                .set_filters(filters(&query.filters))
                .set_include_deprecated(query.include_deprecated.then_some(true))
                .set_max_results(size)
                .set_next_token(token)
                .send()
                .boxed()
                .await
                .map_err(|error| self.failed_for("DescribeImages", &query.ids, error))?;
            Ok((output.images.unwrap_or_default(), output.next_token))
        };
        let images = self.all_pages("ec2", "DescribeImages", page).await?;
        Ok(images.into_iter().filter_map(Image::from_sdk).collect())
    }

    /// The image `id`; `None` when it does not exist, or not yet.
    pub async fn image(&self, id: &str) -> Result<Option<Image>, AwsError> {
        let query = ImageQuery {
            ids: vec![id.to_owned()],
            include_deprecated: true,
            ..ImageQuery::default()
        };
        match self.describe_images(&query).await {
            Ok(images) => Ok(images.into_iter().next()),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Starts to make an image of an instance and returns its id. The SDK does not repeat this
    /// call: it has no client token, so the caller looks first what an unclear answer has done.
    pub async fn create_image(&self, image: &CreateImage) -> Result<String, AwsError> {
        self.create_image_call(image)
            .customize()
            .config_override(
                aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled()),
            )
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "CreateImage", Some(&image.name), error))?
            .image_id
            .ok_or_else(|| self.incomplete("ec2", "CreateImage", "image id"))
    }

    /// The call, with all its parameters.
    pub(super) fn create_image_call(&self, image: &CreateImage) -> CreateImageFluentBuilder {
        let tags: Vec<_> = specification(types::ResourceType::Image, &image.tags)
            .into_iter()
            .chain(specification(types::ResourceType::Snapshot, &image.snapshot_tags))
            .collect();
        self.ec2
            .create_image()
            .instance_id(&image.instance_id)
            .name(&image.name)
            .set_description(image.description.clone())
            .set_block_device_mappings(devices(&image.devices))
            .set_tag_specifications((!tags.is_empty()).then_some(tags))
    }

    /// Deregisters an image. Its snapshots stay.
    pub async fn deregister_image(&self, id: &str) -> Result<(), AwsError> {
        self.ec2
            .deregister_image()
            .image_id(id)
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "DeregisterImage", Some(id), error))?;
        Ok(())
    }

    /// Sets an image's description.
    pub async fn describe_image_as(&self, id: &str, description: &str) -> Result<(), AwsError> {
        self.ec2
            .modify_image_attribute()
            .image_id(id)
            .description(types::AttributeValue::builder().value(description).build())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifyImageAttribute", Some(id), error))?;
        Ok(())
    }

    /// Lets others launch an image.
    pub async fn share_image(
        &self,
        id: &str,
        permission: &ImagePermission,
    ) -> Result<(), AwsError> {
        self.ec2
            .modify_image_attribute()
            .image_id(id)
            .launch_permission(permission.to_sdk())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifyImageAttribute", Some(id), error))?;
        Ok(())
    }

    /// Attaches product codes to an image.
    pub async fn set_product_codes(&self, id: &str, codes: &[String]) -> Result<(), AwsError> {
        self.ec2
            .modify_image_attribute()
            .image_id(id)
            .attribute("productCodes")
            .operation_type(types::OperationType::Add)
            .set_product_codes(Some(codes.to_vec()))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifyImageAttribute", Some(id), error))?;
        Ok(())
    }

    /// Makes IMDSv2 the default of instances launched from an image.
    pub async fn set_imds_support(&self, id: &str, version: &str) -> Result<(), AwsError> {
        self.ec2
            .modify_image_attribute()
            .image_id(id)
            .imds_support(types::AttributeValue::builder().value(version).build())
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "ModifyImageAttribute", Some(id), error))?;
        Ok(())
    }

    /// Deprecates an image at a time, in seconds since 1970.
    pub async fn deprecate_image(&self, id: &str, at: i64) -> Result<(), AwsError> {
        self.ec2
            .enable_image_deprecation()
            .image_id(id)
            .deprecate_at(DateTime::from_secs(at))
            .send()
            .boxed()
            .await
            .map_err(|error| self.failed("ec2", "EnableImageDeprecation", Some(id), error))?;
        Ok(())
    }

    /// Protects an image from being deregistered.
    pub async fn protect_image(&self, id: &str, cooldown: bool) -> Result<(), AwsError> {
        self.ec2
            .enable_image_deregistration_protection()
            .image_id(id)
            .with_cooldown(cooldown)
            .send()
            .boxed()
            .await
            .map_err(|error| {
                self.failed("ec2", "EnableImageDeregistrationProtection", Some(id), error)
            })?;
        Ok(())
    }
}
