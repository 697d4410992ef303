//! Which addresses are out in the world. Source: the IANA special-purpose address registries for IPv4 and IPv6
//! (RFC 6890 and what was added since), read strictly: what they do not call globally reachable is not, their few
//! reachable exceptions inside refused blocks are refused too, and of IPv6 only the allocated `2000::/3` counts.
//! Must not look at routes or interfaces.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// What kind of address it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum AddressClass {
    /// Out in the world: the only class that needs no `private = true`.
    Global,
    /// `0.0.0.0/8`, `::`. Connects to the machine itself on many systems.
    Unspecified,
    /// `127.0.0.0/8`, `::1`.
    Loopback,
    /// `10.0.0.0/8`, `172.16.0.0/12`, `192.168.0.0/16`.
    Private,
    /// `169.254.0.0/16`, `fe80::/10`: also where clouds serve credentials.
    LinkLocal,
    /// `100.64.0.0/10`, shared by a provider's customers.
    Shared,
    /// `fc00::/7`, and the old `fec0::/10`.
    UniqueLocal,
    /// Documentation and examples.
    Documentation,
    /// `198.18.0.0/15`, `2001:2::/48`.
    Benchmarking,
    /// `224.0.0.0/4`, `ff00::/8`.
    Multicast,
    /// `255.255.255.255`.
    Broadcast,
    /// An address that carries an IPv4 address through a tunnel or translator (6to4, Teredo, ISATAP, local NAT64,
    /// IPv4-compatible), when the one inside is global. Where it leads is not ours to know.
    Tunnel,
    /// Where a cloud serves its own machines, some with credentials, outside the link-local block: `168.63.129.16`,
    /// `100.100.100.200`, `fd00:ec2::254`, `fd20:ce::254`. Not in the registries.
    Platform,
    /// Reserved, discarded or not allocated.
    Reserved,
}

impl AddressClass {
    /// The class of an address. One that carries another has the class of the one inside, unless that is global.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => of_v4(v4),
            IpAddr::V6(v6) => of_v6(v6),
        }
    }

    /// Whether it is out in the world.
    #[must_use]
    pub fn is_global(self) -> bool {
        self == Self::Global
    }

    /// In messages: `a loopback address`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Global => "a global address",
            Self::Unspecified => "an unspecified address",
            Self::Loopback => "a loopback address",
            Self::Private => "an address of a private network",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "an address of a provider's inner network",
            Self::UniqueLocal => "an address of a local network",
            Self::Documentation => "an address for documentation",
            Self::Benchmarking => "an address for benchmarks",
            Self::Multicast => "a multicast address",
            Self::Broadcast => "the broadcast address",
            Self::Tunnel => "an address of a tunnel",
            Self::Platform => "an address of the machine's provider",
            Self::Reserved => "a reserved address",
        }
    }
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn of_v4(address: Ipv4Addr) -> AddressClass {
    match address.octets() {
        [0, ..] => AddressClass::Unspecified,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressClass::Private,
        [168, 63, 129, 16] | [100, 100, 100, 200] => AddressClass::Platform,
        [100, 64..=127, ..] => AddressClass::Shared,
        [127, ..] => AddressClass::Loopback,
        [169, 254, ..] => AddressClass::LinkLocal,
        // Protocol assignments, with Oracle's metadata at 192.0.0.192; the retired 6to4 relays.
        [192, 0, 0, _] | [192, 88, 99, _] => AddressClass::Reserved,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressClass::Documentation,
        [198, 18..=19, ..] => AddressClass::Benchmarking,
        [224..=239, ..] => AddressClass::Multicast,
        [255, 255, 255, 255] => AddressClass::Broadcast,
        [240..=255, ..] => AddressClass::Reserved,
        _ => AddressClass::Global,
    }
}

fn v4(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

/// The class of what is inside a tunnel.
fn inner(address: Ipv4Addr) -> AddressClass {
    match of_v4(address) {
        AddressClass::Global => AddressClass::Tunnel,
        other => other,
    }
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    let s = address.segments();
    match s {
        [0, 0, 0, 0, 0, 0, 0, 0] => AddressClass::Unspecified,
        [0, 0, 0, 0, 0, 0, 0, 1] => AddressClass::Loopback,
        // IPv4-mapped: the socket speaks IPv4 with the one inside, so that one counts.
        [0, 0, 0, 0, 0, 0xffff, a, b] => of_v4(v4(a, b)),
        // IPv4-compatible and IPv4-translated.
        [0, 0, 0, 0, 0, 0, a, b] | [0, 0, 0, 0, 0xffff, 0, a, b] => inner(v4(a, b)),
        // The well-known NAT64 prefix leads to the one inside.
        [0x64, 0xff9b, 0, 0, 0, 0, a, b] => of_v4(v4(a, b)),
        // NAT64 of a local network, with the address at each place that RFC 6052 knows below a /48: the translator
        // decides which. The last two words are the common /96.
        [0x64, 0xff9b, 1, _, _, _, a, b] => inner(v4(a, b)),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => {
            AddressClass::Platform
        }
        [0xfe80..=0xfebf, ..] => AddressClass::LinkLocal,
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => AddressClass::UniqueLocal,
        [0xff00..=0xffff, ..] => AddressClass::Multicast,
        // ISATAP, under whatever prefix.
        [_, _, _, _, id, 0x5efe, a, b] if id & 0xfcff == 0 => inner(v4(a, b)),
        [0x2002, a, b, ..] => inner(v4(a, b)),
        // Teredo: the client's address is inverted; the server's stands in front.
        [0x2001, 0, server_a, server_b, _, _, a, b] => match inner(v4(!a, !b)) {
            AddressClass::Tunnel => inner(v4(server_a, server_b)),
            other => other,
        },
        [0x2001, 2, 0, ..] => AddressClass::Benchmarking,
        [0x2001, 0..=0x1ff, ..] => AddressClass::Reserved,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => AddressClass::Documentation,
        [0x2000..=0x3fff, ..] => AddressClass::Global,
        _ => AddressClass::Reserved,
    }
}
