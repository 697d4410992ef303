//! Classes of addresses against a table of blocks, compared as numbers.

use crate::cases;
use proptest::prelude::*;
use sandgate_authority::AddressClass;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Not globally reachable by the IANA registry for IPv4, without its few reachable exceptions inside; the retired 6to4
/// relays; multicast; where clouds serve their machines.
const V4: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// The same for IPv6: what is not allocated, and what is special inside of what is.
const V6: &[&str] = &[
    "::/3",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "4000::/2",
    "8000::/1",
];

/// Blocks whose last 32 bits are an IPv4 address that counts instead.
const CARRIERS: &[&str] = &["::ffff:0:0/96", "64:ff9b::/96"];

fn number(ip: IpAddr) -> (u128, u32) {
    match ip {
        IpAddr::V4(a) => (u128::from(u32::from(a)) << 96, 32),
        IpAddr::V6(a) => (u128::from(a), 128),
    }
}

fn block(text: &str) -> (u128, u32, u32) {
    let (base, bits) = text.split_once('/').unwrap();
    let (base, width) = number(base.parse().unwrap());
    (base, bits.parse().unwrap(), width)
}

fn inside(ip: IpAddr, text: &str) -> bool {
    let (base, bits, width) = block(text);
    let (value, own) = number(ip);
    own == width && (bits == 0 || (value ^ base) >> (128 - bits) == 0)
}

fn oracle(ip: IpAddr) -> bool {
    if let IpAddr::V6(v6) = ip {
        if CARRIERS.iter().any(|c| inside(ip, c)) {
            let low = (u128::from(v6) & 0xffff_ffff) as u32;
            return oracle(Ipv4Addr::from(low).into());
        }
        // ISATAP: 0000:5efe, 0200:5efe and the like in the middle.
        let id = (u128::from(v6) >> 32) as u32;
        if id & 0xfcff_ffff == 0x5efe {
            return false;
        }
        return !V6.iter().any(|b| inside(ip, b));
    }
    !V4.iter().any(|b| inside(ip, b))
}

fn check(ip: IpAddr) {
    assert_eq!(
        AddressClass::of(ip).is_global(),
        oracle(ip),
        "{ip} is {}",
        AddressClass::of(ip)
    );
}

/// First, last and both neighbours of every block, as themselves and carried by every kind of tunnel.
#[test]
fn borders_of_all_blocks() {
    let mut probes = 0_u32;
    for text in V4 {
        let (base, bits, _) = block(text);
        let first = (base >> 96) as u32;
        let last = first | (u32::MAX.checked_shr(bits).unwrap_or(0));
        for value in [first, last, first.wrapping_sub(1), last.wrapping_add(1)] {
            let v4 = Ipv4Addr::from(value);
            check(v4.into());
            probes += 1;
            for carried in carry(v4) {
                check(carried.into());
                probes += 1;
                if !oracle(v4.into()) {
                    assert!(!AddressClass::of(carried.into()).is_global(), "{carried}");
                }
            }
        }
    }
    for text in V6.iter().chain(CARRIERS) {
        let (first, bits, _) = block(text);
        let last = first | (u128::MAX.checked_shr(bits).unwrap_or(0));
        for value in [first, last, first.wrapping_sub(1), last.wrapping_add(1)] {
            check(Ipv6Addr::from(value).into());
            probes += 1;
        }
    }
    println!("address borders: {probes} probes, 0 differences from the table");
}

/// Every way to carry an IPv4 address inside an IPv6 one.
fn carry(v4: Ipv4Addr) -> Vec<Ipv6Addr> {
    let [a, b, c, d] = v4.octets();
    let hex = format!("{a:02x}{b:02x}:{c:02x}{d:02x}");
    let inverted = format!("{:02x}{:02x}:{:02x}{:02x}", !a, !b, !c, !d);
    [
        format!("::ffff:{hex}"),
        format!("::{hex}"),
        format!("::ffff:0:{hex}"),
        format!("64:ff9b::{hex}"),
        format!("64:ff9b:1::{hex}"),
        format!("64:ff9b:1:abcd::{hex}"),
        format!("2002:{hex}::1"),
        format!("2001:0:4136:e378:8000:63bf:{inverted}"),
        format!("2001:0:{hex}:8000:63bf:3fff:fdd2"),
        format!("fe80::5efe:{hex}"),
        format!("2a00:1450:4001:800::5efe:{hex}"),
        format!("2a00:1450:4001:800:200:5efe:{hex}"),
    ]
    .iter()
    .map(|t| t.parse().unwrap())
    .collect()
}

#[test]
fn well_known_addresses() {
    use AddressClass as C;
    for (text, class) in [
        ("8.8.8.8", C::Global),
        ("2606:4700:4700::1111", C::Global),
        ("::ffff:8.8.8.8", C::Global),
        ("64:ff9b::8.8.8.8", C::Global),
        ("127.0.0.1", C::Loopback),
        ("::1", C::Loopback),
        ("::ffff:127.0.0.1", C::Loopback),
        ("::127.0.0.1", C::Loopback),
        ("64:ff9b::127.0.0.1", C::Loopback),
        ("64:ff9b:1::10.0.0.1", C::Private),
        ("2002:7f00:1::", C::Loopback),
        ("2002:808:808::", C::Tunnel),
        ("169.254.169.254", C::LinkLocal),
        ("::ffff:169.254.169.254", C::LinkLocal),
        ("fe80::1", C::LinkLocal),
        ("fd00:ec2::254", C::Platform),
        ("168.63.129.16", C::Platform),
        ("100.100.100.200", C::Platform),
        ("192.0.0.192", C::Reserved),
        ("100.64.0.1", C::Shared),
        ("fc00::1", C::UniqueLocal),
        ("fec0::1", C::UniqueLocal),
        ("0.0.0.0", C::Unspecified),
        ("::", C::Unspecified),
        ("255.255.255.255", C::Broadcast),
        ("224.0.0.1", C::Multicast),
        ("ff02::1", C::Multicast),
        ("198.18.0.1", C::Benchmarking),
        ("2001:2::1", C::Benchmarking),
        ("203.0.113.9", C::Documentation),
        ("2001:db8::1", C::Documentation),
        ("3fff::1", C::Documentation),
        ("100::1", C::Reserved),
        ("5f00::1", C::Reserved),
        ("2001:10::1", C::Reserved),
    ] {
        assert_eq!(AddressClass::of(text.parse().unwrap()), class, "{text}");
    }
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn any_v4(value: u32) {
        check(Ipv4Addr::from(value).into());
    }

    #[test]
    fn any_v6(value: u128) {
        check(Ipv6Addr::from(value).into());
        // Most of the space is refused at its first bits: this half is not.
        check(Ipv6Addr::from((value >> 3) | (1 << 125)).into());
    }

    #[test]
    fn any_v4_carried(value: u32) {
        for carried in carry(Ipv4Addr::from(value)) {
            check(carried.into());
        }
    }
}
