//! Names to addresses, addresses to connections: the two places where this crate touches the system, each behind a
//! trait so that a test can prove what was not connected to. Must not choose among addresses.

use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    pin::Pin,
};
use tokio::net::{TcpStream, lookup_host};

/// What the system does.
pub type NetFuture<'a, T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send + 'a>>;

/// Looks names up.
pub trait Resolver: Send + Sync {
    /// The addresses of a name, in the order in which to try them. Asked once for each request and hop.
    fn resolve<'a>(&'a self, name: &'a str) -> NetFuture<'a, Vec<IpAddr>>;
}

/// Connects to addresses.
pub trait Connector: Send + Sync {
    /// Connects to exactly this address.
    fn connect(&self, address: SocketAddr) -> NetFuture<'_, TcpStream>;

    /// Whether an address is one of this machine's.
    fn is_own(&self, address: IpAddr) -> bool;
}

/// The system's resolver: `/etc/hosts`, DNS, as it is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> NetFuture<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let found = lookup_host((name, 0)).await?;
            Ok(found.map(|a| a.ip()).collect())
        })
    }
}

/// The system's TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemConnector;

impl Connector for SystemConnector {
    fn connect(&self, address: SocketAddr) -> NetFuture<'_, TcpStream> {
        Box::pin(async move {
            let stream = TcpStream::connect(address).await?;
            // Requests are written whole; waiting for more only costs time.
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }

    fn is_own(&self, address: IpAddr) -> bool {
        // Connecting a UDP socket sends nothing; the kernel only chooses the address to send from. It chooses the
        // destination itself when that is local.
        let any: SocketAddr = match address {
            IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            IpAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let source = UdpSocket::bind(any).and_then(|socket| {
            socket.connect((address, 9))?;
            socket.local_addr()
        });
        source.is_ok_and(|s| s.ip() == address)
    }
}
