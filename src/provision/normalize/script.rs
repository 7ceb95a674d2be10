//! What is removed, as a script for `sh`.

/// Takes the age of the first step in seconds as `$1`; runs as root. Ends with 1 when something
/// could not be removed. Each line ends where the next may follow a blank, see
/// [`one_line`](crate::communicator::one_line).
///
/// Directories stay where services expect them. `/etc/machine-id` stays as an empty file, which is
/// how machine-id(5) wants it in an image. Of compiled Python only what the build made goes: what
/// came with the source image, or with the time of a package in it, is the same each time.
pub(super) const SCRIPT: &str = r#"
umask 022; cd /; r=0;
gone() { rm -rf -- "$@" || r=1; };
files() { q=$1; shift; [ ! -d "$q" ] || find "$q" -xdev -type f "$@" -exec rm -f -- {} + || r=1; };
empty() { for f in "$@"; do if [ -f "$f" ] && [ ! -L "$f" ]; then : > "$f" || r=1; fi; done; };

empty /etc/machine-id;
[ -L /var/lib/dbus/machine-id ] || gone /var/lib/dbus/machine-id;
k=; for f in /etc/ssh/ssh_host_*; do [ ! -e "$f" ] || k=1; done;
gone /etc/ssh/ssh_host_*;
gone /var/lib/systemd/random-seed /var/lib/systemd/credential.secret /var/lib/urandom/random-seed
  /var/lib/random-seed /var/lib/misc/random-seed /boot/loader/random-seed
  /boot/efi/loader/random-seed /efi/loader/random-seed;

empty /var/log/wtmp /var/log/btmp /var/log/lastlog /var/log/faillog /var/log/tallylog;
for d in /var/log/journal/*; do gone "$d"; done;
files /var/log ! -path /var/log/wtmp ! -path /var/log/btmp ! -path /var/log/lastlog
  ! -path /var/log/faillog ! -path /var/log/tallylog;

gone /var/cache/ldconfig/aux-cache /var/cache/apt/*.bin /var/cache/debconf/*-old;
for d in /var/lib/apt/lists /var/lib/apt/periodic /var/cache/apt/archives /var/cache/man
  /var/cache/fontconfig /var/cache/apk /var/cache/zypp /var/cache/PackageKit
  /var/lib/mlocate /var/lib/plocate; do
  files "$d";
done;
gone /var/cache/dnf/* /var/cache/yum/* /var/cache/libdnf5/*;
gone /root/.cache /home/*/.cache;

gone /var/lib/dpkg/*-old /var/lib/rpm/__db.* /var/lib/yum/history;
gone /var/lib/dnf/history* /usr/lib/sysimage/libdnf5/transaction_history*;

m=/run/.bake-normalize-$$;
if touch -d "@$(( $(date +%s) - $1 ))" "$m" 2>/dev/null; then
  l=; for d in /usr /opt /srv /etc /var /root /home; do [ ! -d "$d" ] || l="$l $d"; done;
  find $l -xdev -type d -name __pycache__ -prune -exec sh -c "
    m=\$1; shift;
    find \"\$@\" -type f -name \"*.py[co]\" -cnewer \"\$m\" -delete &&
    find \"\$@\" -maxdepth 0 -type d -empty -delete
  " sh "$m" {} + || r=1;
fi;
rm -f "$m";

gone /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem;
for h in /root /home/*; do
  gone "$h/.bash_history" "$h/.python_history" "$h/.lesshst" "$h/.viminfo" "$h/.wget-hsts";
done;
for d in /var/lib/dhcp /var/lib/dhclient /var/lib/dhcpcd; do files "$d" -name "*lease*"; done;
gone /var/lib/NetworkManager/*.lease /var/lib/NetworkManager/timestamps
  /var/lib/NetworkManager/seen-bssids /var/lib/NetworkManager/secret_key;
gone /var/lib/systemd/timers/stamp-* /var/lib/systemd/timesync/clock
  /var/lib/logrotate/status /var/lib/logrotate/logrotate.status /var/lib/logrotate.status;
find /tmp /var/tmp -xdev -mindepth 1 -maxdepth 1 ! -name ".bake-*" -exec rm -rf -- {} + || r=1;

if [ -n "$k" ] && ! command -v cloud-init >/dev/null 2>&1; then
  m=; for f in /usr/lib/systemd/system/*ssh*keygen* /lib/systemd/system/*ssh*keygen* /etc/systemd/system/*ssh*keygen*; do [ ! -e "$f" ] || m=1; done;
  [ -n "$m" ] || echo no-new-host-keys;
fi;
exit $r
"#;
