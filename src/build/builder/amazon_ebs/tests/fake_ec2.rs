//! An EC2 in memory, behind the SDK's HTTP client: no socket, but every byte of the protocol.
//!
//! It has EC2's manners as far as a teardown meets them: fresh ids are not found at first, states
//! take a few looks, groups and snapshots in use cannot be deleted. A [`Fault`] strikes one call.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::Notify;

use super::fake_iam::FakeIam;
use crate::build::Cancel;
use crate::build::ledger;
use crate::build::ledger::tests::InMemory;
use crate::communicator::ssh::encrypt;

/// What happens at one call.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is refused.
    Refused,
    /// It is done, but the answer is lost.
    AnswerLost,
    /// It is done, but the answer is lost, and the next call of the action is refused.
    AnswerLostThenRefused,
    /// It is done, and the run is interrupted meanwhile.
    Interrupted(Cancel),
    /// It is done, and the process is killed before the answer comes.
    Killed(Arc<Notify>),
}

/// What the names of actions begin with when they are only tried.
pub(super) const DRY_RUN: &str = "DryRun";

/// The source image that there is.
pub(super) const SOURCE: &str = "ami-0000000000000source";

#[derive(Clone, Default)]
pub(super) struct FakeEc2 {
    state: Arc<Mutex<State>>,
}

impl std::fmt::Debug for FakeEc2 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeEc2")
    }
}

#[derive(Default)]
pub(super) struct State {
    next: u32,
    /// The actions in order.
    pub(super) calls: Vec<String>,
    fault: Option<(usize, Fault)>,
    ledger: Option<InMemory>,
    pub(super) keys: BTreeMap<String, Tags>,
    /// Ids of key pairs by their names.
    key_ids: BTreeMap<String, String>,
    pub(super) groups: BTreeMap<String, (String, Tags)>,
    pub(super) instances: BTreeMap<String, Instance>,
    pub(super) volumes: BTreeMap<String, String>,
    pub(super) images: BTreeMap<String, Image>,
    pub(super) snapshots: BTreeMap<String, Snapshot>,
    pub(super) iam: FakeIam,
    /// What Windows makes its password, and how often it has to be asked for.
    pub(super) password: Option<(&'static str, u32)>,
    /// Public keys by the names of their pairs.
    public_keys: BTreeMap<String, String>,
    /// Whether volumes outlive their instance.
    pub(super) volumes_stay: bool,
    /// Refuses tags for snapshots at CreateImage, as GovCloud does.
    pub(super) refuse_snapshot_tags: bool,
    /// An action that is not allowed, nor its dry run.
    pub(super) denied: Option<&'static str>,
    /// How many vCPUs may run; nobody may ask when `None`.
    pub(super) vcpu_quota: Option<u32>,
    /// The types of instances of others.
    pub(super) running: Vec<&'static str>,
    /// Makes images that fail.
    pub(super) images_fail: bool,
    /// Creates without an intent in the ledger, which must not be.
    pub(super) unannounced: Vec<String>,
}

pub(super) type Tags = BTreeMap<String, String>;

pub(super) struct Instance {
    token: String,
    key: String,
    pub(super) state: &'static str,
    /// Looks until the next state.
    looks: u32,
    hidden: u32,
    group: Option<String>,
    volume: String,
    pub(super) tags: Tags,
}

pub(super) struct Image {
    pub(super) name: String,
    pub(super) state: &'static str,
    looks: u32,
    instance: String,
    snapshot: String,
    pub(super) tags: Tags,
}

pub(super) struct Snapshot {
    description: String,
    pub(super) tags: Tags,
}

pub(super) type Reply = Result<String, (u16, &'static str, String)>;

impl FakeEc2 {
    pub(super) fn client(&self) -> SharedHttpClient {
        let fake = self.clone();
        http_client_fn(move |_, _| SharedHttpConnector::new(fake.clone()))
    }

    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.state.lock().expect("not poisoned"))
    }

    /// Strikes the call number `at`, from zero.
    pub(super) fn strike(&self, at: usize, fault: Fault) {
        self.with(|state| state.fault = Some((at, fault)));
    }

    /// Checks at every create call that its intent is on the disk.
    pub(super) fn watch(&self, ledger: &InMemory) {
        self.with(|state| state.ledger = Some(ledger.clone()));
    }

    /// Everything that a build leaves only while it runs.
    pub(super) fn temporary(&self) -> Vec<String> {
        self.with(|state| {
            let alive = state.instances.iter().filter(|(_, one)| one.state != "terminated");
            let mut all: Vec<_> = alive.map(|(id, _)| id.clone()).collect();
            all.extend(state.keys.keys().cloned());
            all.extend(state.groups.keys().cloned());
            all.extend(state.volumes.keys().cloned());
            all.extend(state.iam.all());
            all
        })
    }

    /// The answer to a call; none comes to a process that is killed.
    fn answer(&self, action: &str, form: &Form) -> Result<Option<HttpResponse>, ConnectorError> {
        let mut state = self.state.lock().expect("not poisoned");
        let number = state.calls.len();
        state.calls.push(action.to_owned());
        let fault = match &state.fault {
            Some((at, fault)) if *at == number => Some(fault.clone()),
            Some((at, Fault::AnswerLostThenRefused))
                if state.calls.iter().skip(at + 1).position(|call| *call == state.calls[*at])
                    == Some(number.wrapping_sub(at + 1)) =>
            {
                Some(Fault::Refused)
            }
            _ => None,
        };
        if let Some(Fault::Refused) = fault {
            let refusal = (400, "InvalidRequest", "the fault that was ordered".to_owned());
            return Ok(Some(response(action, Err(refusal))));
        }
        if state.denied == Some(action.trim_start_matches(DRY_RUN)) {
            let text = "You are not authorized to perform this operation.".to_owned();
            return Ok(Some(response(action, Err((403, "UnauthorizedOperation", text)))));
        }
        state.check_ledger(action, form);
        let reply = state.act(action, form);
        match fault {
            Some(Fault::AnswerLost | Fault::AnswerLostThenRefused) => {
                Err(ConnectorError::io("the connection was reset".into()))
            }
            Some(Fault::Killed(killed)) => {
                killed.notify_one();
                Ok(None)
            }
            Some(Fault::Interrupted(cancel)) => {
                cancel.signal();
                Ok(Some(response(action, reply)))
            }
            _ => Ok(Some(response(action, reply))),
        }
    }
}

impl HttpConnector for FakeEc2 {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let form: Form = form_urlencoded::parse(&body).into_owned().collect();
        let target = request.headers().get("x-amz-target").and_then(|name| name.rsplit('.').next());
        let mut action =
            form.get("Action").map(String::as_str).or(target).unwrap_or_default().to_owned();
        if get(&form, "DryRun") == "true" {
            action.insert_str(0, DRY_RUN);
        }
        let fake = self.clone();
        HttpConnectorFuture::new(async move {
            // Lets other calls of the build in between.
            tokio::task::yield_now().await;
            match fake.answer(&action, &form)? {
                Some(answer) => Ok(answer),
                None => std::future::pending().await,
            }
        })
    }
}

pub(super) type Form = BTreeMap<String, String>;

fn response(action: &str, reply: Reply) -> HttpResponse {
    let (status, text) = match reply {
        Ok(json) if action == "GetServiceQuota" => (200, json),
        Err((status, code, message)) if action == "GetServiceQuota" => {
            (status, format!("{{\"__type\": \"{code}\", \"message\": \"{message}\"}}"))
        }
        Ok(inner) if action == "GetCallerIdentity" || is_iam(action) => (
            200,
            format!(
                "<{action}Response><{action}Result>{inner}</{action}Result></{action}Response>"
            ),
        ),
        Ok(inner) => {
            (200, format!("<{action}Response><requestId>r</requestId>{inner}</{action}Response>"))
        }
        Err((status, code, message)) if is_iam(action) => (
            status,
            format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            ),
        ),
        Err((status, code, message)) => (
            status,
            format!(
                "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"
            ),
        ),
    };
    let status = status.try_into().expect("is a status");
    HttpResponse::new(status, SdkBody::from(text))
}

/// Whether IAM answers that action.
fn is_iam(action: &str) -> bool {
    FakeIam::default().act(action, &Form::new()).is_some()
}

pub(super) fn get<'a>(form: &'a Form, name: &str) -> &'a str {
    form.get(name).map_or("", String::as_str)
}

fn list(form: &Form, prefix: &str) -> Vec<String> {
    (1..).map_while(|n| form.get(&format!("{prefix}.{n}")).cloned()).collect()
}

fn filter(form: &Form, name: &str) -> Option<Vec<String>> {
    (1..)
        .map_while(|n| form.get(&format!("Filter.{n}.Name")).map(|found| (n, found)))
        .find(|(_, found)| *found == name)
        .map(|(n, _)| list(form, &format!("Filter.{n}.Value")))
}

fn tags_of(form: &Form, kind: &str) -> Tags {
    let Some(n) = (1..)
        .map_while(|n| form.get(&format!("TagSpecification.{n}.ResourceType")).map(|at| (n, at)))
        .find(|(_, at)| *at == kind)
        .map(|(n, _)| n)
    else {
        return Tags::new();
    };
    pairs(form, &format!("TagSpecification.{n}.Tag"))
}

pub(super) fn pairs(form: &Form, prefix: &str) -> Tags {
    (1..)
        .map_while(|n| {
            let key = form.get(&format!("{prefix}.{n}.Key"))?;
            Some((key.clone(), get(form, &format!("{prefix}.{n}.Value")).to_owned()))
        })
        .collect()
}

/// Whether a Describe call asks for what a run has tagged.
fn has_tag_filter(form: &Form) -> bool {
    filter(form, "tag:bake:run-id").is_some() || filter(form, "tag-key").is_some()
}

fn has_tags(form: &Form, tags: &Tags) -> bool {
    let run = tags.get("bake:run-id");
    match filter(form, "tag:bake:run-id") {
        Some(runs) => run.is_some_and(|run| runs.contains(run)),
        None => run.is_some(),
    }
}

fn tag_set(tags: &Tags) -> String {
    let items: String = tags
        .iter()
        .map(|(key, value)| format!("<item><key>{key}</key><value>{value}</value></item>"))
        .collect();
    format!("<tagSet>{items}</tagSet>")
}

fn not_found<T>(code: &'static str, id: &str) -> Result<T, (u16, &'static str, String)> {
    Err((400, code, format!("{id} does not exist")))
}

impl State {
    fn id(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}-{:017x}", self.next)
    }

    fn check_ledger(&mut self, action: &str, form: &Form) {
        let kind = match action {
            "ImportKeyPair" if get(form, "KeyName").starts_with("bake-lease-") => "lease",
            "ImportKeyPair" => "key-pair",
            "CreateSecurityGroup" => "security-group",
            "RunInstances" => "instance",
            "CreateImage" => "image",
            "CreateRole" => "role",
            "CreateInstanceProfile" => "instance-profile",
            _ => return,
        };
        let Some(storage) = &self.ledger else { return };
        let reading = ledger::read(storage.after_power_cut()).expect("is readable");
        let announced = reading.leftovers.iter().any(|one| {
            one.id.is_none()
                && serde_json::to_value(one.intent.kind).is_ok_and(|value| value == kind)
        });
        if !announced {
            self.unannounced.push(action.to_owned());
        }
    }

    fn act(&mut self, action: &str, form: &Form) -> Reply {
        if action.starts_with(DRY_RUN) {
            return Err((412, "DryRunOperation", "it would have succeeded".to_owned()));
        }
        if let Some(reply) = self.iam.act(action, form) {
            return reply;
        }
        match action {
            "GetServiceQuota" => match self.vcpu_quota {
                Some(vcpus) => Ok(format!("{{\"Quota\": {{\"Value\": {vcpus}.0}}}}")),
                None => Err((403, "AccessDeniedException", "nobody may ask".to_owned())),
            },
            "DescribeInstanceTypes" => {
                let item = |name: String| {
                    format!(
                        "<item><instanceType>{name}</instanceType>\
                         <vCpuInfo><defaultVCpus>2</defaultVCpus></vCpuInfo></item>"
                    )
                };
                let items: String = list(form, "InstanceType").into_iter().map(item).collect();
                Ok(format!("<instanceTypeSet>{items}</instanceTypeSet>"))
            }
            "GetCallerIdentity" => {
                Ok("<Account>123456789012</Account><Arn>arn:aws:iam::123456789012:user/u</Arn>"
                    .to_owned())
            }
            "DescribeVpcs" => {
                Ok("<vpcSet><item><vpcId>vpc-1</vpcId><isDefault>true</isDefault></item></vpcSet>"
                    .to_owned())
            }
            "ImportKeyPair" => self.import_key(form),
            "DescribeKeyPairs" if has_tag_filter(form) => {
                let items: String = self
                    .keys
                    .iter()
                    .filter(|(_, tags)| has_tags(form, tags))
                    .map(|(name, tags)| self.key_item(name, tags))
                    .collect();
                Ok(format!("<keySet>{items}</keySet>"))
            }
            "DescribeKeyPairs" => {
                let name = get(form, "KeyName.1");
                match self.keys.get(name) {
                    Some(tags) => Ok(format!("<keySet>{}</keySet>", self.key_item(name, tags))),
                    None => not_found("InvalidKeyPair.NotFound", name),
                }
            }
            "DeleteKeyPair" => self.delete_key(form),
            "CreateSecurityGroup" => self.create_group(form),
            "AuthorizeSecurityGroupIngress" => Ok("<return>true</return>".to_owned()),
            "DescribeSecurityGroups" => self.describe_groups(form),
            "DeleteSecurityGroup" => self.delete_group(get(form, "GroupId")),
            "RunInstances" => self.run_instances(form),
            "DescribeInstances" => self.describe_instances(form),
            "GetPasswordData" => self.password_data(get(form, "InstanceId")),
            "StopInstances" => self.change(form, "stopping"),
            "TerminateInstances" => self.change(form, "shutting-down"),
            "DescribeVolumes" => {
                let wanted = filter(form, "volume-id").unwrap_or_default();
                let items: String = self
                    .volumes
                    .iter()
                    .filter(|(id, _)| wanted.contains(id))
                    .map(|(id, state)| {
                        format!("<item><volumeId>{id}</volumeId><status>{state}</status></item>")
                    })
                    .collect();
                Ok(format!("<volumeSet>{items}</volumeSet>"))
            }
            "DeleteVolume" => {
                let id = get(form, "VolumeId");
                match self.volumes.remove(id) {
                    Some(_) => Ok("<return>true</return>".to_owned()),
                    None => not_found("InvalidVolume.NotFound", id),
                }
            }
            "CreateImage" => self.create_image(form),
            "DescribeImages" => self.describe_images(form),
            "DeregisterImage" => {
                let id = get(form, "ImageId");
                match self.images.remove(id) {
                    Some(_) => Ok("<return>true</return>".to_owned()),
                    None => not_found("InvalidAMIID.NotFound", id),
                }
            }
            "ModifyImageAttribute" => Ok("<return>true</return>".to_owned()),
            "DescribeSnapshots" => self.describe_snapshots(form),
            "DeleteSnapshot" => self.delete_snapshot(get(form, "SnapshotId")),
            "CreateTags" => self.create_tags(form),
            other => Err((400, "InvalidAction", format!("no action {other}"))),
        }
    }

    fn key_item(&self, name: &str, tags: &Tags) -> String {
        let id = self.key_ids.get(name).cloned().unwrap_or_default();
        let tags = tag_set(tags);
        format!("<item><keyName>{name}</keyName><keyPairId>{id}</keyPairId>{tags}</item>")
    }

    fn import_key(&mut self, form: &Form) -> Reply {
        let name = get(form, "KeyName").to_owned();
        if self.keys.contains_key(&name) {
            return Err((400, "InvalidKeyPair.Duplicate", name));
        }
        self.keys.insert(name.clone(), tags_of(form, "key-pair"));
        let id = self.id("key");
        self.key_ids.insert(name.clone(), id.clone());
        let public = BASE64_STANDARD.decode(get(form, "PublicKeyMaterial")).expect("base64");
        let public = String::from_utf8(public).expect("text");
        self.public_keys.insert(name.clone(), public);
        Ok(format!("<keyName>{name}</keyName><keyPairId>{id}</keyPairId>"))
    }

    fn delete_key(&mut self, form: &Form) -> Reply {
        let (name, id) = (get(form, "KeyName"), get(form, "KeyPairId"));
        let found = self.key_ids.iter().find(|(known, found)| *known == name || *found == id);
        match found.map(|(name, id)| (name.clone(), id.clone())) {
            Some((name, id)) => {
                self.keys.remove(&name);
                self.key_ids.remove(&name);
                Ok(format!("<return>true</return><keyPairId>{id}</keyPairId>"))
            }
            None => Ok("<return>true</return>".to_owned()),
        }
    }

    /// A key pair that was there before.
    pub(super) fn add_key(&mut self, name: &str, public: &str) {
        self.keys.insert(name.to_owned(), Tags::new());
        self.public_keys.insert(name.to_owned(), public.to_owned());
    }

    fn password_data(&mut self, id: &str) -> Reply {
        let Some(instance) = self.instances.get(id) else {
            return not_found("InvalidInstanceID.NotFound", id);
        };
        let data = match &mut self.password {
            Some((password, 0)) => {
                let public = &self.public_keys[&instance.key];
                let encrypted = encrypt(public, password.as_bytes());
                format!("\r\n{}\r\n", BASE64_STANDARD.encode(encrypted))
            }
            Some((_, looks)) => {
                *looks -= 1;
                String::new()
            }
            None => String::new(),
        };
        Ok(format!("<instanceId>{id}</instanceId><passwordData>{data}</passwordData>"))
    }

    fn create_group(&mut self, form: &Form) -> Reply {
        let name = get(form, "GroupName").to_owned();
        if self.groups.values().any(|(known, _)| *known == name) {
            return Err((400, "InvalidGroup.Duplicate", name));
        }
        let id = self.id("sg");
        self.groups.insert(id.clone(), (name, tags_of(form, "security-group")));
        Ok(format!("<return>true</return><groupId>{id}</groupId>"))
    }

    fn describe_groups(&mut self, form: &Form) -> Reply {
        let names = filter(form, "group-name").unwrap_or_default();
        let ids = filter(form, "group-id").unwrap_or_default();
        let items: String = self
            .groups
            .iter()
            .filter(|(id, (name, tags))| match has_tag_filter(form) {
                true => has_tags(form, tags),
                false => names.contains(name) || ids.contains(id),
            })
            .map(|(id, (name, tags))| {
                format!(
                    "<item><groupId>{id}</groupId><groupName>{name}</groupName>{}</item>",
                    tag_set(tags)
                )
            })
            .collect();
        Ok(format!("<securityGroupInfo>{items}</securityGroupInfo>"))
    }

    fn delete_group(&mut self, id: &str) -> Reply {
        let used = self
            .instances
            .values()
            .any(|one| one.group.as_deref() == Some(id) && one.state != "terminated");
        if used {
            return Err((400, "DependencyViolation", format!("{id} is in use")));
        }
        match self.groups.remove(id) {
            Some(_) => Ok("<return>true</return>".to_owned()),
            None => not_found("InvalidGroup.NotFound", id),
        }
    }

    fn run_instances(&mut self, form: &Form) -> Reply {
        let token = get(form, "ClientToken").to_owned();
        let known = self.instances.iter().find(|(_, one)| one.token == token);
        let id = match known.map(|(id, _)| id.clone()) {
            Some(id) => id,
            None => {
                let key = get(form, "KeyName");
                if !self.keys.contains_key(key) {
                    return not_found("InvalidKeyPair.NotFound", key);
                }
                let profile = get(form, "IamInstanceProfile.Name");
                if !profile.is_empty() && !self.iam.is_usable(profile) {
                    let text = "Value for parameter iamInstanceProfile.name is invalid";
                    return Err((400, "InvalidParameterValue", text.to_owned()));
                }
                let (id, volume) = (self.id("i"), self.id("vol"));
                self.volumes.insert(volume.clone(), "in-use".to_owned());
                let instance = Instance {
                    token,
                    key: key.to_owned(),
                    state: "pending",
                    looks: 2,
                    hidden: 1,
                    group: form.get("SecurityGroupId.1").cloned(),
                    volume,
                    tags: tags_of(form, "instance"),
                };
                self.instances.insert(id.clone(), instance);
                id
            }
        };
        let item = self.instance_item(&id);
        Ok(format!("<instancesSet>{item}</instancesSet>"))
    }

    fn instance_item(&self, id: &str) -> String {
        let one = &self.instances[id];
        format!(
            "<item><instanceId>{id}</instanceId><instanceState><name>{}</name></instanceState>\
             <ipAddress>198.51.100.7</ipAddress><privateIpAddress>10.0.0.7</privateIpAddress>\
             <clientToken>{}</clientToken><blockDeviceMapping><item>\
             <deviceName>/dev/xvda</deviceName><ebs><volumeId>{}</volumeId></ebs></item>\
             </blockDeviceMapping>{}</item>",
            one.state,
            one.token,
            one.volume,
            tag_set(&one.tags)
        )
    }

    fn describe_instances(&mut self, form: &Form) -> Reply {
        let wanted = list(form, "InstanceId");
        let tokens = filter(form, "client-token");
        let stay = self.volumes_stay;
        let mut gone = Vec::new();
        for (id, one) in &mut self.instances {
            if !wanted.contains(id) {
                continue;
            }
            if one.hidden > 0 {
                one.hidden -= 1;
                return not_found("InvalidInstanceID.NotFound", id);
            }
            one.looks = one.looks.saturating_sub(1);
            if one.looks == 0 {
                one.state = match one.state {
                    "pending" => "running",
                    "stopping" => "stopped",
                    "shutting-down" => {
                        gone.push(one.volume.clone());
                        "terminated"
                    }
                    other => other,
                };
            }
        }
        for volume in gone {
            if stay {
                self.volumes.insert(volume, "available".to_owned());
            } else {
                self.volumes.remove(&volume);
            }
        }
        let items: String = self
            .instances
            .iter()
            .filter(|(id, one)| match &tokens {
                Some(tokens) => tokens.contains(&one.token),
                None if has_tag_filter(form) => has_tags(form, &one.tags),
                None => wanted.contains(id),
            })
            .map(|(id, _)| self.instance_item(id))
            .collect();
        let others = self.running.iter().filter(|_| filter(form, "instance-state-name").is_some());
        let others: String = others
            .map(|name| {
                format!(
                    "<item><instanceId>i-another</instanceId><instanceType>{name}</instanceType>\
                     <instanceState><name>running</name></instanceState></item>"
                )
            })
            .collect();
        let items = items + &others;
        Ok(format!(
            "<reservationSet><item><instancesSet>{items}</instancesSet></item></reservationSet>"
        ))
    }

    fn change(&mut self, form: &Form, state: &'static str) -> Reply {
        let id = get(form, "InstanceId.1");
        match self.instances.get_mut(id) {
            Some(one) if one.hidden > 0 => {
                one.hidden -= 1;
                not_found("InvalidInstanceID.NotFound", id)
            }
            Some(one) if one.state == "terminated" => Ok("<instancesSet/>".to_owned()),
            Some(one) => {
                one.state = state;
                one.looks = 2;
                Ok("<instancesSet/>".to_owned())
            }
            None => not_found("InvalidInstanceID.NotFound", id),
        }
    }

    fn create_image(&mut self, form: &Form) -> Reply {
        let (name, instance) = (get(form, "Name").to_owned(), get(form, "InstanceId").to_owned());
        let snapshot_tags = tags_of(form, "snapshot");
        if self.refuse_snapshot_tags && !snapshot_tags.is_empty() {
            return Err((400, "InvalidParameterValue", "snapshot tags are refused".to_owned()));
        }
        if self.images.values().any(|image| image.name == name) {
            return Err((400, "InvalidAMIName.Duplicate", name));
        }
        if self.instances.get(&instance).map(|one| one.state) != Some("stopped") {
            return not_found("InvalidInstanceID.NotFound", &instance);
        }
        let (id, snapshot) = (self.id("ami"), self.id("snap"));
        let description = format!("Created by CreateImage({instance}) for {id}");
        self.snapshots.insert(snapshot.clone(), Snapshot { description, tags: snapshot_tags });
        let tags = tags_of(form, "image");
        let image = Image { name, state: "pending", looks: 4, instance, snapshot, tags };
        self.images.insert(id.clone(), image);
        Ok(format!("<imageId>{id}</imageId>"))
    }

    fn describe_images(&mut self, form: &Form) -> Reply {
        let ids = list(form, "ImageId");
        if ids == [SOURCE] {
            return Ok(format!(
                "<imagesSet><item><imageId>{SOURCE}</imageId><name>al2023</name>\
                 <imageState>available</imageState><rootDeviceType>ebs</rootDeviceType>\
                 <creationDate>2026-01-01T00:00:00.000Z</creationDate></item></imagesSet>"
            ));
        }
        let names = filter(form, "name");
        let hashes = filter(form, "tag:bake:image-hash");
        let fails = self.images_fail;
        let mut items = String::new();
        for (id, image) in &mut self.images {
            let hash = image.tags.get("bake:image-hash");
            let fits = (ids.is_empty() || ids.contains(id))
                && (!has_tag_filter(form) || has_tags(form, &image.tags))
                && names.as_ref().is_none_or(|names| names.contains(&image.name))
                && hashes.as_ref().is_none_or(|all| hash.is_some_and(|hash| all.contains(hash)));
            if !fits {
                continue;
            }
            if !ids.is_empty() {
                image.looks = image.looks.saturating_sub(1);
                if image.looks == 0 && image.state == "pending" {
                    image.state = if fails { "failed" } else { "available" };
                }
            }
            write!(
                items,
                "<item><imageId>{id}</imageId><name>{}</name><imageState>{}</imageState>\
                 <sourceInstanceId>{}</sourceInstanceId>\
                 <creationDate>2023-11-14T22:00:00.000Z</creationDate><blockDeviceMapping><item>\
                 <deviceName>/dev/xvda</deviceName><ebs><snapshotId>{}</snapshotId></ebs></item>\
                 </blockDeviceMapping>{}</item>",
                image.name,
                image.state,
                image.instance,
                image.snapshot,
                tag_set(&image.tags)
            )
            .expect("writes to a string");
        }
        if items.is_empty()
            && let Some(id) = ids.first()
        {
            return not_found("InvalidAMIID.NotFound", id);
        }
        Ok(format!("<imagesSet>{items}</imagesSet>"))
    }

    fn describe_snapshots(&mut self, form: &Form) -> Reply {
        let ids = list(form, "SnapshotId");
        let described = filter(form, "description");
        let items: String = self
            .snapshots
            .iter()
            .filter(|(id, one)| match &described {
                Some(patterns) => {
                    patterns.iter().any(|text| one.description.contains(text.trim_matches('*')))
                }
                None if has_tag_filter(form) => has_tags(form, &one.tags),
                None => ids.contains(id),
            })
            .map(|(id, one)| {
                format!(
                    "<item><snapshotId>{id}</snapshotId><status>pending</status>\
                     <progress>50%</progress>{}</item>",
                    tag_set(&one.tags)
                )
            })
            .collect();
        Ok(format!("<snapshotSet>{items}</snapshotSet>"))
    }

    fn delete_snapshot(&mut self, id: &str) -> Reply {
        if self.images.values().any(|image| image.snapshot == id) {
            return Err((400, "InvalidSnapshot.InUse", format!("{id} is in use")));
        }
        match self.snapshots.remove(id) {
            Some(_) => Ok("<return>true</return>".to_owned()),
            None => not_found("InvalidSnapshot.NotFound", id),
        }
    }

    fn create_tags(&mut self, form: &Form) -> Reply {
        for id in list(form, "ResourceId") {
            let tags = pairs(form, "Tag");
            if let Some(image) = self.images.get_mut(&id) {
                image.tags.extend(tags);
            } else if let Some(snapshot) = self.snapshots.get_mut(&id) {
                snapshot.tags.extend(tags);
            } else if let Some((name, _)) = self.key_ids.iter().find(|(_, found)| **found == id) {
                self.keys.entry(name.clone()).or_default().extend(tags);
            } else {
                return not_found("InvalidID", &id);
            }
        }
        Ok("<return>true</return>".to_owned())
    }
}
