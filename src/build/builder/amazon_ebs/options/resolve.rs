//! From checked options to what the build does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::AmazonEbsOptions;
use crate::aws::wait::Polling;
use crate::aws::{
    BlockDevice, Credits, ImagePermission, MetadataOptions, Placement, Tags, filters,
};
use crate::build::builder::amazon::{
    BlockDeviceOptions, ImageOptions, InstanceOptions, KeyValue, USER_DATA, VpcFilterOptions,
    name_problem,
};
use crate::build::builder::amazon_ebs::ImageAttributes;
use crate::build::builder::amazon_ebs::settings::{
    AddressKind, AmazonEbs, BucketSettings, Communication, ImageSettings, InstanceSettings,
    KeySettings, Late, LateTexts, NetworkSettings, PasswordSettings, ProfileSettings,
    SecuritySettings, SourceFilter, SourceSettings, WaitSettings,
};
use crate::build::{BuildError, Places};
use crate::communicator::options::user_path;
use crate::communicator::ssh::KeyType;
use crate::communicator::{CommunicatorOptions, WinRmSettings};
use crate::diagnostic::Diagnostics;
use crate::plan::{Content, Entry, Planned};
use crate::template::schema::{BuildData, Deferred, Evaluate, Secret, UnknownField};

/// How often a fresh Windows may refuse its user: until its user data has set the password, it
/// refuses everybody. With pauses from 5 s on that is ten minutes, and never so often that Windows
/// locks the account.
const WINRM_REFUSALS: u32 = 10;
/// The first pause after that.
const WINRM_REFUSAL_PAUSE: Duration = Duration::from_secs(5);
/// How long to wait for a Windows password; Packer takes nothing for its default.
const PASSWORD_LIMIT: Duration = Duration::from_secs(1200);

/// A planned use of the builder, ready to run.
#[derive(Clone)]
pub struct Prepared {
    /// What it does.
    pub build: AmazonEbs,
    /// Its texts.
    pub late: Late,
}

/// Reads a checked plan. Relative paths in options start at `directory`.
///
/// # Errors
/// When the options cannot be read any more, which a plan without errors rules out.
pub fn prepare(planned: &Planned, directory: &Path) -> Result<Prepared, Diagnostics> {
    let schema = AmazonEbsOptions::schema();
    let component = planned.component.clone();
    let decoded = component.decode(None, schema, AmazonEbsOptions::decode_options)?;
    let options = decoded.options;
    let mut build = settings(&options, user_data(planned, &options.instance), directory);
    build.places = Places::new(component.owner.clone(), decoded.facts.spans);
    let late: Late = Arc::new(move |data| {
        let read = component.decode(Some(data), schema, AmazonEbsOptions::decode_options);
        match read {
            Ok(decoded) => {
                let secrets = decoded.facts.secrets.iter().map(Secret::new).collect();
                let texts = texts(&decoded.options, &*component.evaluate, data)?;
                Ok(LateTexts { secrets, ..texts })
            }
            Err(found) => {
                let messages: Vec<_> = found.iter().map(|one| one.summary.clone()).collect();
                Err(BuildError::Render { option: "source", message: messages.join("; ") })
            }
        }
    });
    Ok(Prepared { build, late })
}

fn user_data(planned: &Planned, options: &InstanceOptions) -> Option<Vec<u8>> {
    if let Some(text) = &options.user_data {
        return Some(text.clone().into_bytes());
    }
    match planned.trees.get(USER_DATA)?.single_file()? {
        Entry::File { content: Content::Bytes(bytes), .. } => Some(bytes.to_vec()),
        _ => None,
    }
}

fn settings(options: &AmazonEbsOptions, user_data: Option<Vec<u8>>, directory: &Path) -> AmazonEbs {
    let AmazonEbsOptions { access, image, source, instance, communicator, .. } = options;
    let filter = source.source_ami_filter.as_ref().map(|filter| SourceFilter {
        filters: filters(&filter.filters, &filter.filter),
        owners: filter.owners.clone(),
        most_recent: filter.most_recent,
        include_deprecated: filter.include_deprecated,
    });
    let subnet = instance.subnet_filter.as_ref();
    let filter_of = |filter: &Option<VpcFilterOptions>| {
        filter.as_ref().map(|one| filters(&one.filters, &one.filter)).unwrap_or_default()
    };
    let mut group_ids = instance.security_group_ids.clone();
    group_ids.extend(text(&instance.security_group_id));
    let everywhere = match instance.ssh_interface.as_deref() {
        Some("ipv6") => "::/0",
        _ => "0.0.0.0/0",
    };
    let cidrs = &instance.temporary_security_group_source_cidrs;
    let mut image_devices: Vec<_> =
        options.ami_block_device_mappings.iter().map(BlockDeviceOptions::device).collect();
    if options.no_ephemeral {
        image_devices.extend(ephemeral_devices());
    }
    let communication = communication(communicator, instance, directory);
    AmazonEbs {
        access: access.access(),
        skip_credential_validation: access.skip_credential_validation,
        source: SourceSettings { id: text(&source.source_ami), filter },
        network: NetworkSettings {
            subnet_id: text(&instance.subnet_id),
            subnet_filter: subnet.map(|one| filters(&one.filters, &one.filter)).unwrap_or_default(),
            subnet_most_free: subnet.is_some_and(|one| one.most_free),
            subnet_random: subnet.is_some_and(|one| one.random),
            vpc_id: text(&instance.vpc_id),
            vpc_filter: filter_of(&instance.vpc_filter),
            public_address: instance.associate_public_ip_address,
        },
        security: SecuritySettings {
            // Groups by id come first, as in Packer.
            group_filter: match group_ids.as_slice() {
                [] => filter_of(&instance.security_group_filter),
                _ => Vec::new(),
            },
            group_ids,
            source_cidrs: if cidrs.is_empty() {
                vec![everywhere.to_owned()]
            } else {
                cidrs.clone()
            },
        },
        instance: instance_of(options, user_data, &communication),
        communication,
        image: ImageSettings {
            skip_create: options.skip_create_ami,
            force_deregister: image.force_deregister,
            force_delete_snapshot: image.force_delete_snapshot,
            devices: image_devices,
            skip_run_tags: options.skip_ami_run_tags,
            attributes: attributes_of(image),
        },
        waits: waits(options),
        places: Places::default(),
    }
}

/// What is set on the image once it is available.
fn attributes_of(image: &ImageOptions) -> ImageAttributes {
    ImageAttributes {
        permission: ImagePermission {
            users: image.ami_users.clone(),
            groups: image.ami_groups.clone(),
            organization_arns: image.ami_org_arns.clone(),
            unit_arns: image.ami_ou_arns.clone(),
        },
        product_codes: image.ami_product_codes.clone(),
        snapshot_users: image.snapshot_users.clone(),
        snapshot_groups: image.snapshot_groups.clone(),
        imds_support: text(&image.imds_support),
        deprecate_at: image
            .deprecate_at
            .as_ref()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok())
            .map(jiff::Timestamp::as_second),
        protection: image
            .deregistration_protection
            .as_ref()
            .filter(|one| one.enabled || one.with_cooldown)
            .map(|one| one.with_cooldown),
    }
}

fn instance_of(
    options: &AmazonEbsOptions,
    user_data: Option<Vec<u8>>,
    communication: &Communication,
) -> InstanceSettings {
    let AmazonEbsOptions { instance, image, .. } = options;
    let placement = instance.placement.as_ref();
    let metadata = instance.metadata_options.as_ref();
    let kind = text(&instance.instance_type).unwrap_or_default();
    let unlimited = instance.enable_unlimited_credits || instance.enable_t2_unlimited;
    // Without `disable_stop_instance` nothing inside of the instance should shut it down, and if
    // something does, such as a timer after this process has died, nothing should be left.
    let shutdown = if instance.disable_stop_instance { "stop" } else { "terminate" };
    InstanceSettings {
        instance_type: kind,
        user_data,
        profile: profile(instance, communication),
        devices: options
            .launch_block_device_mappings
            .iter()
            .map(BlockDeviceOptions::device)
            .collect(),
        placement: Placement {
            availability_zone: text(&instance.availability_zone),
            tenancy: placement.and_then(|one| text(&one.tenancy)).or(text(&instance.tenancy)),
            host_id: placement.and_then(|one| text(&one.host_id)),
            host_resource_group_arn: placement.and_then(|one| text(&one.host_resource_group_arn)),
        },
        ebs_optimized: instance.ebs_optimized,
        enclave: instance.enable_nitro_enclave,
        credits: unlimited.then_some(Credits::Unlimited),
        metadata: MetadataOptions {
            http_endpoint: metadata.and_then(|one| text(&one.http_endpoint)),
            http_tokens: metadata.and_then(|one| text(&one.http_tokens)),
            http_put_response_hop_limit: metadata
                .and_then(|one| one.http_put_response_hop_limit)
                .filter(|limit| *limit != 0),
            instance_metadata_tags: metadata.and_then(|one| text(&one.instance_metadata_tags)),
        },
        shutdown_behavior: text(&instance.shutdown_behavior).unwrap_or_else(|| shutdown.to_owned()),
        license_configuration_arns: instance
            .license_specifications
            .iter()
            .map(|one| one.license_configuration_request.license_configuration_arn.clone())
            .collect(),
        capacity_reservation_preference: text(&instance.capacity_reservation_preference),
        capacity_reservation_id: text(&instance.capacity_reservation_id),
        capacity_reservation_group_arn: text(&instance.capacity_reservation_group_arn),
        disable_stop: instance.disable_stop_instance,
        ena_support: image.ena_support,
        sriov_support: image.sriov_support,
    }
}

/// Systems Manager needs a profile. The one that is made for it has a policy of AWS's; a policy of
/// the template has to allow what that one does.
fn profile(instance: &InstanceOptions, communication: &Communication) -> ProfileSettings {
    let policy = &instance.temporary_iam_instance_profile_policy_document;
    match (text(&instance.iam_instance_profile), policy) {
        (Some(name), _) => ProfileSettings::Existing { name },
        (None, Some(policy)) => ProfileSettings::Temporary { policy: Some(policy.json()) },
        (None, None) if communication.uses_systems_manager() => {
            ProfileSettings::Temporary { policy: None }
        }
        (None, None) => ProfileSettings::Nothing,
    }
}

fn communication(
    options: &CommunicatorOptions,
    instance: &InstanceOptions,
    directory: &Path,
) -> Communication {
    match options.kind() {
        "none" => return Communication::Nothing,
        "ssm" => {
            let bucket = text(&options.ssm_bucket).map(|name| BucketSettings {
                name,
                prefix: text(&options.ssm_bucket_prefix).unwrap_or_default(),
            });
            return Communication::Ssm {
                pause: instance.pause_before_ssm.unwrap_or_default(),
                bucket,
            };
        }
        "winrm" => return winrm(options, instance, directory),
        _ => {}
    }
    let has_password = options.ssh_password.as_ref().is_some_and(|one| !one.reveal().is_empty());
    let has_key =
        text(&options.ssh_private_key_file).is_some() || options.ssh_private_key.text().is_some();
    let has_login = has_password || has_key || options.ssh_agent_auth;
    let key = match (text(&options.ssh_keypair_name), has_login) {
        (Some(name), _) => KeySettings::Existing { name },
        (None, true) => KeySettings::Nothing,
        (None, false) => KeySettings::Temporary {
            kind: match options.temporary_key_pair_type.as_str() {
                "rsa" => KeyType::Rsa(bits(options, 3072)),
                "ecdsa" => KeyType::Ecdsa(bits(options, 521)),
                _ => KeyType::Ed25519,
            },
            name: text(&options.temporary_key_pair_name),
        },
    };
    Communication::Ssh {
        key,
        port: options.port(),
        // A session goes to the instance, whatever it is called.
        host: text(&options.ssh_host)
            .filter(|_| instance.ssh_interface.as_deref() != Some("session_manager")),
        address: address(instance),
        login: Box::new(options.ssh_settings(directory)),
        clear_key: options.ssh_clear_authorized_keys,
    }
}

/// How to reach Windows. Without a password of the template's, EC2 has one for whoever has the key;
/// it takes RSA keys only for that.
fn winrm(
    options: &CommunicatorOptions,
    instance: &InstanceOptions,
    directory: &Path,
) -> Communication {
    let login = WinRmSettings {
        refusals: WINRM_REFUSALS,
        refusal_pause: WINRM_REFUSAL_PAUSE,
        ..options.winrm_settings()
    };
    let name = text(&options.ssh_keypair_name);
    let key_file = name.as_ref().and(text(&options.ssh_private_key_file));
    let key = match (name, &login.password) {
        (Some(name), _) => KeySettings::Existing { name },
        (None, Some(_)) => KeySettings::Nothing,
        (None, None) => KeySettings::Temporary {
            kind: KeyType::Rsa(bits(options, 2048)),
            name: text(&options.temporary_key_pair_name),
        },
    };
    let password = match login.password {
        Some(_) => PasswordSettings::Given,
        None => PasswordSettings::Asked {
            key_file: key_file.map(|file| user_path(directory, &file)),
            limit: match instance.windows_password_timeout {
                Duration::ZERO => PASSWORD_LIMIT,
                limit => limit,
            },
        },
    };
    Communication::WinRm {
        key,
        port: options.port(),
        host: text(&options.winrm_host),
        address: address(instance),
        login: Box::new(login),
        password,
    }
}

/// Which of the instance's addresses to connect to.
fn address(instance: &InstanceOptions) -> AddressKind {
    match instance.ssh_interface.as_deref() {
        Some("public_ip") => AddressKind::PublicIp,
        Some("private_ip") => AddressKind::PrivateIp,
        Some("public_dns") => AddressKind::PublicDns,
        Some("private_dns") => AddressKind::PrivateDns,
        Some("ipv6") => AddressKind::Ipv6,
        Some("session_manager") => {
            AddressKind::SessionManager { pause: instance.pause_before_ssm.unwrap_or_default() }
        }
        _ => AddressKind::Any,
    }
}

/// Bits of a key whose type has several sizes.
fn bits(options: &CommunicatorOptions, usual: u16) -> u16 {
    options
        .temporary_key_pair_bits
        .filter(|bits| *bits > 0)
        .and_then(|bits| bits.try_into().ok())
        .unwrap_or(usual)
}

/// The 26 devices that EC2 would otherwise add for instance store volumes.
fn ephemeral_devices() -> impl Iterator<Item = BlockDevice> {
    ('a'..='z').map(|letter| BlockDevice {
        device_name: format!("xvdc{letter}"),
        no_device: true,
        ..BlockDevice::default()
    })
}

/// Packer multiplies attempts and delay into the longest wait; 15 s is its documented delay. The
/// environment stands in for what the template leaves out.
fn waits(options: &AmazonEbsOptions) -> WaitSettings {
    let polling = options.access.aws_polling.as_ref();
    let from_environment = |name: &str| {
        std::env::var_os(name)?.into_string().ok()?.parse::<u32>().ok().filter(|count| *count > 0)
    };
    let attempts = polling
        .and_then(|one| one.max_attempts)
        .or_else(|| from_environment("AWS_MAX_ATTEMPTS"))
        .filter(|count| *count > 0);
    let delay = polling
        .and_then(|one| one.delay_seconds)
        .or_else(|| from_environment("AWS_POLL_DELAY_SECONDS"))
        .filter(|count| *count > 0);
    let mut waits =
        WaitSettings { readiness: options.instance.readiness_timeout, ..WaitSettings::default() };
    for wait in [&mut waits.running, &mut waits.stopped, &mut waits.available] {
        *wait = overridden(*wait, attempts, delay);
    }
    waits
}

fn overridden(wait: Polling, attempts: Option<u32>, delay: Option<u32>) -> Polling {
    let delay = delay.map(|count| Duration::from_secs(u64::from(count)));
    let longest = attempts.map(|count| delay.unwrap_or(Duration::from_secs(15)) * count);
    Polling {
        first: delay.unwrap_or(wait.first),
        cap: delay.unwrap_or(wait.cap),
        deadline: longest.unwrap_or(wait.deadline),
        // Whoever gives a limit means it.
        extend: longest.is_none(),
    }
}

/// An option's text, when it says something: legacy templates give empty strings for nothing.
fn text(option: &Option<String>) -> Option<String> {
    option.clone().filter(|text| !text.is_empty())
}

fn texts(
    options: &AmazonEbsOptions,
    evaluate: &dyn Evaluate,
    data: &BuildData,
) -> Result<LateTexts, BuildError> {
    let AmazonEbsOptions { image, instance, .. } = options;
    let resolve = evaluate.resolve(Some(data));
    let render = |option: &'static str, text: &str| {
        resolve
            .render_late(text, data, UnknownField::Refuse)
            .map(|(text, _)| text)
            .map_err(|message| BuildError::Render { option, message })
    };
    let optional = |option: &'static str, text: &Option<Deferred>| {
        let text = text.as_ref().map(Deferred::text).filter(|text| !text.is_empty());
        text.map(|text| render(option, text)).transpose()
    };
    let tags = |option: &'static str, map: &BTreeMap<String, Deferred>, blocks: &[KeyValue]| {
        let pairs = map
            .iter()
            .map(|(key, value)| (key.as_str(), value.text()))
            .chain(blocks.iter().map(|one| (one.key.text(), one.value.text())));
        pairs
            .map(|(key, value)| Ok((render(option, key)?, render(option, value)?)))
            .collect::<Result<Tags, BuildError>>()
    };
    let image_name = optional("ami_name", &image.ami_name)?;
    if let Some((problem, help)) = image_name.as_deref().and_then(name_problem) {
        let name = image_name.unwrap_or_default();
        let message = format!("the image name `{name}` {problem}");
        let error = BuildError::option("ami_name", message);
        return Err(if help.is_empty() { error } else { error.hint(help) });
    }
    let mut run_volume_tags = tags("run_volume_tags", &options.volume_tags.run_volume_tags, &[])?;
    for one in &options.volume_tags.run_volume_tag {
        let key = render("run_volume_tag", one.name.text())?;
        run_volume_tags.insert(key, render("run_volume_tag", one.value.text())?);
    }
    Ok(LateTexts {
        image_name,
        description: optional("ami_description", &image.ami_description)?,
        run_tags: tags("run_tags", &instance.run_tags, &instance.run_tag)?,
        run_volume_tags,
        tags: tags("tags", &image.tags, &image.tag)?,
        snapshot_tags: tags("snapshot_tags", &image.snapshot_tags, &image.snapshot_tag)?,
        secrets: Vec::new(),
    })
}
