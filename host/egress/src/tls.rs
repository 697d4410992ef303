//! TLS: the public certificate authorities and the configured ones, ring, TLS 1.2 and 1.3, HTTP/1.1. Nothing is
//! remembered between connections: a ticket would tie the requests of two attempts together. Must not accept a
//! certificate for another name, whatever is configured.

use crate::{
    error::{EgressError, EgressSetupError},
    limits::EgressLimits,
};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use sandgate_authority::{Host, Target};
use std::sync::Arc;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The configuration for all connections.
pub(crate) fn config(extra_roots: &[Vec<u8>]) -> Result<Arc<ClientConfig>, EgressSetupError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    for (ix, der) in extra_roots.iter().enumerate() {
        roots
            .add(CertificateDer::from(der.clone()))
            .map_err(|e| EgressSetupError::Root(ix, e))?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(EgressSetupError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

/// The handshake, under its own deadline: a peer can accept a connection and then say nothing.
pub(crate) async fn handshake<S>(
    config: &Arc<ClientConfig>,
    target: &Target,
    stream: S,
    limits: &EgressLimits,
) -> Result<TlsStream<S>, EgressError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = match target.host() {
        Host::Ip(ip) => ServerName::IpAddress((*ip).into()),
        Host::Name(name) => ServerName::try_from(name.clone())
            .map_err(|_| EgressError::Connect(format!("{name} is no name that TLS can check")))?,
    };
    let connector = TlsConnector::from(Arc::clone(config));
    match timeout(limits.tls, connector.connect(name, stream)).await {
        Err(_) => Err(EgressError::Timeout(format!(
            "the TLS handshake with {} took longer than {:?}",
            target.origin(),
            limits.tls
        ))),
        Ok(Err(e)) if e.kind() == std::io::ErrorKind::QuotaExceeded => Err(EgressError::TooLarge(
            "the attempt has used up its network bytes".into(),
        )),
        Ok(Err(e)) => Err(EgressError::Connect(format!(
            "TLS with {} failed: {e}",
            target.origin()
        ))),
        Ok(Ok(stream)) => Ok(stream),
    }
}
