//! The options.

use std::time::Duration;

use super::KeyBytes;
use crate::template::schema::Secret;

crate::options! {
    /// How to reach the machine.
    pub struct CommunicatorOptions {
        /// `ssh`, `winrm`, `ssm` or `none`.
        unhashed communicator: String = "ssh".to_owned(),
        /// How long to wait once it was possible to connect; then bake connects again.
        unhashed pause_before_connecting: Duration = Duration::ZERO,
        /// Host to connect to instead of the machine's address.
        unhashed ssh_host: Option<String>,
        /// TCP port.
        unhashed ssh_port: u16 = 22,
        /// User to log in as.
        hashed ssh_username: Option<String>,
        /// Password to log in with.
        unhashed ssh_password: Option<Secret>,
        /// Private key to log in with.
        unhashed ssh_private_key_file: Option<String>,
        /// Certificate to log in with.
        unhashed ssh_certificate_file: Option<String>,
        /// Key pair in EC2 that belongs to `ssh_private_key_file`.
        unhashed ssh_keypair_name: Option<String>,
        /// Logs in with keys of the SSH agent.
        unhashed ssh_agent_auth: bool = false,
        /// Name of the temporary key pair.
        unhashed temporary_key_pair_name: Option<String>,
        /// `ed25519`, `rsa` or `ecdsa`, as far as the builder's cloud takes them.
        unhashed temporary_key_pair_type: String = "ed25519".to_owned(),
        /// Size of an RSA or ECDSA key.
        unhashed temporary_key_pair_bits: Option<u32>,
        /// Removes the temporary key from the image.
        hashed ssh_clear_authorized_keys: bool = false,
        /// How long to try to connect; 5 minutes by default.
        unhashed ssh_timeout: Option<Duration>,
        /// Old name of `ssh_timeout`.
        unhashed ssh_wait_timeout: Option<Duration>,
        /// Failed log-ins after which to give up; 10 by default, without limit when `ssh_timeout` is set.
        unhashed ssh_handshake_attempts: Option<u32>,
        /// Gives scripts a terminal.
        hashed ssh_pty: bool = false,
        /// Keeps the SSH agent of this machine from the far side; else commands there may use it.
        unhashed ssh_disable_agent_forwarding: bool = false,
        /// Ciphers to offer, best first.
        unhashed ssh_ciphers: Vec<String>,
        /// Key exchanges to offer, best first.
        unhashed ssh_key_exchange_algorithms: Vec<String>,
        /// `scp` or `sftp`.
        unhashed ssh_file_transfer_method: String = "scp".to_owned(),
        /// How often to ask an idle connection whether it is alive; negative values turn it off.
        unhashed ssh_keep_alive_interval: String = "5s".to_owned(),
        /// How long one read or write may take.
        unhashed ssh_read_write_timeout: Option<Duration>,
        /// Bastion host; several, each behind the one before it, are separated by commas. A user and a port of its own: `user@host:port`.
        unhashed ssh_bastion_host: Option<String>,
        /// Port of the bastion host.
        unhashed ssh_bastion_port: Option<u16>,
        /// User on the bastion host; `ssh_username` by default.
        unhashed ssh_bastion_username: Option<String>,
        /// Password on the bastion host.
        unhashed ssh_bastion_password: Option<Secret>,
        /// Asks for the password on the bastion host; bake never asks.
        unhashed ssh_bastion_interactive: bool = false,
        /// Agent for the bastion host.
        unhashed ssh_bastion_agent_auth: bool = false,
        /// Private key for the bastion host; `ssh_private_key_file` by default, with its certificate.
        unhashed ssh_bastion_private_key_file: Option<String>,
        /// Certificate for the bastion host.
        unhashed ssh_bastion_certificate_file: Option<String>,
        /// SOCKS 5 proxy.
        unhashed ssh_proxy_host: Option<String>,
        /// Port of the proxy; 1080 by default.
        unhashed ssh_proxy_port: Option<u16>,
        /// User of the proxy.
        unhashed ssh_proxy_username: Option<String>,
        /// Password of the proxy.
        unhashed ssh_proxy_password: Option<Secret>,
        /// Ports of this machine that lead to what the far side reaches: `PORT:HOST:PORT`.
        unhashed ssh_local_tunnels: Vec<String>,
        /// Ports of the far side that lead to what this machine reaches: `PORT:HOST:PORT`.
        unhashed ssh_remote_tunnels: Vec<String>,
        /// Bucket by way of which files of more than 1 MiB go with `communicator = "ssm"`.
        unhashed ssm_bucket: Option<String>,
        /// What the keys of objects in `ssm_bucket` begin with.
        unhashed ssm_bucket_prefix: Option<String>,
        /// Set by Packer itself: the public key as bytes.
        unhashed ssh_public_key: KeyBytes = KeyBytes::default(),
        /// Set by Packer itself: the private key as bytes.
        unhashed ssh_private_key: KeyBytes = KeyBytes::default(),
        /// User for WinRM; `DOMAIN\user` and `user@domain` are known, too.
        hashed winrm_username: Option<String>,
        /// Password for WinRM; that of an EC2 instance is asked for when there is none.
        unhashed winrm_password: Option<Secret>,
        /// Host for WinRM instead of the machine's address.
        unhashed winrm_host: Option<String>,
        /// Port for WinRM; 5985 by default, 5986 with `winrm_use_ssl`.
        unhashed winrm_port: Option<u16>,
        /// How long to try to connect over WinRM; 30 minutes by default.
        unhashed winrm_timeout: Option<Duration>,
        /// WinRM over TLS.
        unhashed winrm_use_ssl: bool = false,
        /// Takes any certificate for WinRM.
        unhashed winrm_insecure: bool = false,
        /// NTLM for WinRM from the start; else where the machine takes no password without it.
        unhashed winrm_use_ntlm: bool = false,
        /// WinRM without the proxy that the environment names.
        unhashed winrm_no_proxy: bool = false,
    }
}
