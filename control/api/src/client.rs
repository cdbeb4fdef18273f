//! The asking side, for programs that are not asynchronous themselves.

mod connect;
mod error;
mod lines;

use std::{ops::ControlFlow, time::Duration};

use ferrovs_model::Change;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1::SendRequest,
    header,
};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

pub use error::ClientError;

use crate::{Failure, FlowView, Refused, SOCKET_NAME, Services, Status, SysctlView, routes};

/// How long the daemon may think before it begins to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to this network namespace's daemon. Every call waits for its answer.
#[derive(Debug)]
pub struct Client {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects to the daemon of this network namespace, after making sure that it is run by root
    /// or by this user: anyone may take an abstract socket's name.
    ///
    /// # Errors
    /// [`ClientError::NotRunning`], [`ClientError::NotOurs`], or another failure to connect.
    pub fn connect() -> Result<Self, ClientError> {
        Self::connect_to(SOCKET_NAME)
    }

    /// As [`Client::connect`], for an abstract socket of another name.
    ///
    /// # Errors
    /// As [`Client::connect`].
    pub fn connect_to(name: &[u8]) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(ClientError::Io)?;
        let sender = runtime.block_on(connect::connect(name))?;
        Ok(Self { runtime, sender })
    }

    /// How the director is.
    ///
    /// # Errors
    /// When no good answer comes.
    pub fn status(&mut self) -> Result<Status, ClientError> {
        let response = self.send(Method::GET, routes::STATUS, Bytes::new())?;
        self.read_json(response)
    }

    /// All services, timeouts and sysctls.
    ///
    /// # Errors
    /// When no good answer comes.
    pub fn services(&mut self) -> Result<Services, ClientError> {
        let response = self.send(Method::GET, routes::SERVICES, Bytes::new())?;
        self.read_json(response)
    }

    /// All sysctls, by name.
    ///
    /// # Errors
    /// When no good answer comes.
    pub fn sysctls(&mut self) -> Result<Vec<SysctlView>, ClientError> {
        let response = self.send(Method::GET, routes::SYSCTLS, Bytes::new())?;
        self.read_json(response)
    }

    /// Makes all of `changes`, or none.
    ///
    /// # Errors
    /// [`ClientError::Refused`] names the change that cannot be made; others when no good answer
    /// comes. When the connection broke or the daemon was silent for too long, it is not known whether
    /// the changes were made.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), ClientError> {
        let body = serde_json::to_vec(changes)
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        let response = self.send(Method::POST, routes::CHANGES, body.into())?;
        self.finish(response)
    }

    /// Makes those of `changes` that can be made, in order; the others are what comes back.
    ///
    /// # Errors
    /// When no good answer comes. It is not known then which changes were made.
    pub fn apply_each(&mut self, changes: &[Change]) -> Result<Vec<Refused>, ClientError> {
        let body = serde_json::to_vec(changes)
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        let response = self.send(Method::POST, routes::CHANGES_EACH, body.into())?;
        self.read_json(response)
    }

    /// Hands every flow to `each`, as they arrive, until it breaks.
    ///
    /// # Errors
    /// When no good answer comes, or it ends early.
    pub fn flows(
        &mut self,
        each: &mut dyn FnMut(FlowView<'_>) -> ControlFlow<()>,
    ) -> Result<(), ClientError> {
        let response = self.send(Method::GET, routes::FLOWS, Bytes::new())?;
        self.runtime
            .block_on(lines::for_each_line(response.into_body(), each))
    }

    /// Ends the daemon and takes programs and tables away.
    ///
    /// # Errors
    /// When no good answer comes.
    pub fn down(&mut self) -> Result<(), ClientError> {
        let response = self.send(Method::POST, routes::DOWN, Bytes::new())?;
        self.finish(response)
    }

    /// Sends a request and turns every status but 200 into an error.
    fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ClientError> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "ferrovs")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| ClientError::Protocol(error.to_string()))?;
        let sender = &mut self.sender;
        let response = self
            .runtime
            .block_on(async {
                tokio::time::timeout(PATIENCE, async {
                    sender.ready().await?;
                    sender.send_request(request).await
                })
                .await
            })
            .map_err(|_| ClientError::Silent(PATIENCE))??;
        match response.status() {
            StatusCode::OK => Ok(response),
            StatusCode::CONFLICT => {
                let refused: Refused = self.read_json(response)?;
                Err(ClientError::Refused(refused))
            }
            status => {
                let failure: Failure = self.read_json(response)?;
                Err(match status {
                    StatusCode::FORBIDDEN => ClientError::Forbidden(failure.message),
                    _ => ClientError::Failed(failure.message),
                })
            }
        }
    }

    fn read_json<T: DeserializeOwned>(
        &self,
        response: Response<Incoming>,
    ) -> Result<T, ClientError> {
        let body = self.read(response)?;
        serde_json::from_slice(&body).map_err(|error| ClientError::Protocol(error.to_string()))
    }

    /// Reads and drops a body that holds nothing, so that the connection can be used again.
    fn finish(&self, response: Response<Incoming>) -> Result<(), ClientError> {
        self.read(response).map(drop)
    }

    fn read(&self, response: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = self.runtime.block_on(response.into_body().collect())?;
        Ok(body.to_bytes())
    }
}

#[cfg(test)]
mod tests;
