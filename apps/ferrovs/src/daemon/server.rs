//! The answering side of the control socket's API.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, DefaultBodyLimit, Request, State, connect_info::Connected},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::IncomingStream,
};
use ferrovs_api::{Failure, routes};
use ferrovs_model::Change;
use futures_util::stream;
use serde_json::json;
use tokio::sync::{Mutex, Notify};

use super::{
    Listener,
    director::{Director, NotMade},
    listing::Listing,
    socket::Peer,
};

/// How long answers may still take after the last one was begun.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The longest body that is read: many times the changes that fill every table.
const BODY: usize = 64 << 20;

/// The director, shared between connections; one at a time asks or changes it.
pub(super) type Shared = Arc<Mutex<Director>>;

/// What every handler may need.
#[derive(Clone)]
struct Context {
    director: Shared,
    stop: Arc<Notify>,
}

impl Connected<IncomingStream<'_, tokio::net::UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, tokio::net::UnixListener>) -> Self {
        Self::of(stream.io())
    }
}

/// Answers until `ferrovs down` has been done.
pub(super) async fn serve(
    listener: Listener,
    director: Shared,
    stop: Arc<Notify>,
) -> std::io::Result<()> {
    let listener = tokio::net::UnixListener::from_std(listener)?;
    let context = Context {
        director,
        stop: Arc::clone(&stop),
    };
    let router = Router::new()
        .route(routes::STATUS, get(status))
        .route(routes::SERVICES, get(services))
        .route(routes::FLOWS, get(flows))
        .route(routes::SYSCTLS, get(sysctls))
        .route(routes::CHANGES, post(changes))
        .route(routes::CHANGES_EACH, post(changes_each))
        .route(routes::DOWN, post(down))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn(admit))
        .with_state(context);
    let service = router.into_make_service_with_connect_info::<Peer>();
    let stopping = Arc::new(Notify::new());
    let noticed = Arc::clone(&stopping);
    let serving = axum::serve(listener, service).with_graceful_shutdown(async move {
        stop.notified().await;
        noticed.notify_one();
    });
    let last_words = async move {
        stopping.notified().await;
        tokio::time::sleep(LAST_WORDS).await;
    };
    tokio::select! {
        result = serving => result,
        () = last_words => Ok(()),
    }
}

/// Lets in who may.
async fn admit(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
    match peer.refusal() {
        Some(message) => failure(StatusCode::FORBIDDEN, message),
        None => next.run(request).await,
    }
}

async fn status(State(context): State<Context>) -> Response {
    Json(context.director.lock().await.status()).into_response()
}

async fn services(State(context): State<Context>) -> Response {
    Json(context.director.lock().await.services()).into_response()
}

async fn sysctls(State(context): State<Context>) -> Response {
    Json(context.director.lock().await.sysctls()).into_response()
}

async fn flows(State(context): State<Context>) -> Response {
    let plane = context.director.lock().await.plane();
    let body = stream::unfold(Listing::new(plane), |mut listing| async move {
        // However fast the reader is, others are served between two pieces.
        tokio::task::yield_now().await;
        let piece = listing.piece()?;
        Some((Ok::<_, Infallible>(piece), listing))
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    (kind, Body::from_stream(body)).into_response()
}

async fn changes(State(context): State<Context>, body: Bytes) -> Response {
    make(body, async move |changes| {
        context.director.lock().await.apply(&changes).await?;
        Ok(done())
    })
    .await
}

async fn changes_each(State(context): State<Context>, body: Bytes) -> Response {
    make(body, async move |changes| {
        let mut director = context.director.lock().await;
        Ok(Json(director.apply_each(&changes).await?).into_response())
    })
    .await
}

/// Reads a list of changes and has them made.
async fn make<F>(body: Bytes, make: impl FnOnce(Vec<Change>) -> F) -> Response
where
    F: Future<Output = Result<Response, NotMade>> + Send + 'static,
{
    let changes = match ferrovs_api::read_changes(&body) {
        Ok(changes) => changes,
        Err(answer) => return (StatusCode::BAD_REQUEST, Json(answer)).into_response(),
    };
    // A change that has begun is made to its end, also when who asked has gone.
    match tokio::spawn(make(changes)).await {
        Ok(Ok(response)) => response,
        Ok(Err(NotMade::Refused(refused))) => (StatusCode::CONFLICT, Json(refused)).into_response(),
        Ok(Err(NotMade::Failed(message))) => failure(StatusCode::INTERNAL_SERVER_ERROR, message),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

async fn down(State(context): State<Context>) -> Response {
    let result = context.director.lock().await.take_down().await;
    match result {
        Ok(()) => {
            context.stop.notify_one();
            done()
        }
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")),
    }
}

async fn unknown(request: Request) -> Response {
    let message = format!("there is no {} {}", request.method(), request.uri().path());
    failure(StatusCode::NOT_FOUND, message)
}

fn done() -> Response {
    Json(json!({})).into_response()
}

fn failure(status: StatusCode, message: String) -> Response {
    (status, Json(Failure { message })).into_response()
}
