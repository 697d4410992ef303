//! Where a redirect leads, by RFC 9110. Must not decide whether it may be followed: the authority does, from the top.

use crate::error::EgressError;
use http::{HeaderMap, StatusCode, header};
use sandgate_authority::Target;

/// The request that a redirect asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Next {
    pub(crate) target: Target,
    pub(crate) method: String,
    /// Method and body stay as they were.
    pub(crate) same_body: bool,
}

/// `None` when the response is no redirect.
pub(crate) fn next(
    status: StatusCode,
    headers: &HeaderMap,
    method: &str,
    target: &Target,
) -> Result<Option<Next>, EgressError> {
    let (method, same_body) = match status {
        // RFC 9110 15.4.2 and 15.4.3 let POST become GET, and everybody does.
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND if method == "POST" => ("GET", false),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => (method, true),
        StatusCode::SEE_OTHER if method == "HEAD" => ("HEAD", false),
        StatusCode::SEE_OTHER => ("GET", false),
        _ => return Ok(None),
    };
    let mut locations = headers.get_all(header::LOCATION).iter();
    let Some(location) = locations.next() else {
        return Ok(None);
    };
    if locations.next().is_some() {
        return Err(EgressError::Protocol(format!(
            "{} answered a redirect with two locations",
            target.origin()
        )));
    }
    let refused = |why: String| {
        EgressError::Denied(format!(
            "the redirect from {} is refused: {why}",
            target.origin()
        ))
    };
    let location = location
        .to_str()
        .map_err(|_| refused("its location is not ASCII".into()))?;
    let next = target.join(location).map_err(|e| refused(e.to_string()))?;
    Ok(Some(Next {
        target: next,
        method: method.to_owned(),
        same_body,
    }))
}
