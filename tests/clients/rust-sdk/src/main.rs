//! The AWS SDK for Rust against a running binary: `rust-sdk <zip> <role>`.
//!
//! Prints what it saw as JSON; `test_sdks.py` knows what that must be. Waits by asking again, as the SDK has waiters for
//! some services only.

use std::error::Error;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{Credentials, Region};
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{FunctionCode, InvokeWithResponseStreamResponseEvent as Event, Runtime, State};
use aws_sdk_lambda::{Client, Config};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The function under test.
const NAME: &str = "rust";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, zip, role] = arguments.as_slice() else {
        return Err("usage: rust-sdk <zip> <role>".into());
    };
    let client = connect()?;
    let mut seen = json!({});
    seen["created"] = create(&client, std::fs::read(zip)?, role).await?;
    seen["waited"] = json!(wait(&client).await?.as_str());
    seen["invoked"] = invoked(&client).await?;
    seen["failed"] = failed(&client).await?;
    seen["streamed"] = streamed(&client).await?;
    seen["alias"] = alias(&client).await?;
    seen["pages"] = pages(&client).await?;
    seen["errors"] = errors(&client).await?;
    client.delete_function().function_name(NAME).send().await?;
    let gone = refused(client.get_function().function_name(NAME).send().await)?;
    seen["gone"] = gone["name"].clone();
    println!("{seen}");
    Ok(())
}

/// A client without TLS, for the endpoint and credentials of the environment.
fn connect() -> Result<Client> {
    let config = Config::builder()
        .behavior_version_latest()
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(std::env::var("AWS_ENDPOINT_URL")?)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .retry_config(RetryConfig::disabled())
        .build();
    Ok(Client::from_conf(config))
}

async fn create(client: &Client, zip: Vec<u8>, role: &str) -> Result<Value> {
    let made = client
        .create_function()
        .function_name(NAME)
        .role(role)
        .runtime(Runtime::Nodejs20x)
        .handler("app.handler")
        .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
        .send()
        .await?;
    Ok(json!({ "arn": made.function_arn(), "state": made.state().map(State::as_str) }))
}

async fn wait(client: &Client) -> Result<State> {
    loop {
        let found = client
            .get_function_configuration()
            .function_name(NAME)
            .send()
            .await?;
        match found.state() {
            None | Some(State::Pending) => {}
            Some(state) => return Ok(state.clone()),
        }
    }
}

async fn invoked(client: &Client) -> Result<Value> {
    let payload = Blob::new(r#"{"name": "Roy Singh"}"#);
    let answer = client
        .invoke()
        .function_name(NAME)
        .payload(payload)
        .send()
        .await?;
    let body: Value = serde_json::from_slice(answer.payload().ok_or("no payload")?.as_ref())?;
    Ok(json!({ "status": answer.status_code(), "version": answer.executed_version(), "payload": body }))
}

async fn failed(client: &Client) -> Result<Value> {
    let payload = Blob::new(r#"{"fail": "no"}"#);
    let answer = client
        .invoke()
        .function_name(NAME)
        .payload(payload)
        .send()
        .await?;
    Ok(json!({ "status": answer.status_code(), "error": answer.function_error() }))
}

async fn streamed(client: &Client) -> Result<Value> {
    let payload = Blob::new(r#"{"name": "streamed"}"#);
    let call = client.invoke_with_response_stream().function_name(NAME);
    let mut answer = call.payload(payload).send().await?;
    let (mut body, mut complete) = (Vec::new(), 0);
    while let Some(event) = answer.event_stream.recv().await? {
        match event {
            Event::PayloadChunk(chunk) => body.extend(chunk.payload().ok_or("an empty chunk")?.as_ref()),
            Event::InvokeComplete(_) => complete += 1,
            _ => return Err("an event that is not known".into()),
        }
    }
    Ok(json!({ "body": String::from_utf8(body)?, "complete": complete }))
}

async fn alias(client: &Client) -> Result<Value> {
    client.publish_version().function_name(NAME).send().await?;
    let made = client.create_alias().function_name(NAME).name("live");
    made.function_version("1").send().await?;
    let answer = client
        .invoke()
        .function_name(NAME)
        .qualifier("live")
        .send()
        .await?;
    Ok(json!(answer.executed_version()))
}

async fn pages(client: &Client) -> Result<Value> {
    let list = client.list_versions_by_function().function_name(NAME);
    let mut pages = list.into_paginator().page_size(1).send();
    let mut seen = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page?;
        seen.push(
            page.versions()
                .iter()
                .map(|found| json!(found.version()))
                .collect::<Value>(),
        );
    }
    Ok(json!(seen))
}

async fn errors(client: &Client) -> Result<Value> {
    let missing = refused(client.get_function().function_name("missing").send().await)?;
    let again = client.create_alias().function_name(NAME).name("live");
    let conflict = refused(again.function_version("1").send().await)?;
    let constraint = refused(client.get_function().function_name("*").send().await)?;
    let bad = client.invoke().function_name(NAME).payload(Blob::new("{bad"));
    let content = refused(bad.send().await)?;
    let close = client.put_function_concurrency().function_name(NAME);
    close.reserved_concurrent_executions(0).send().await?;
    let throttled = refused(client.invoke().function_name(NAME).send().await)?;
    Ok(json!([missing, conflict, constraint, content, throttled]))
}

/// The code, status and text of the error that an operation must end in.
fn refused<T, E: ProvideErrorMetadata>(
    outcome: std::result::Result<T, SdkError<E, aws_sdk_lambda::config::http::HttpResponse>>,
) -> Result<Value> {
    match outcome {
        Err(SdkError::ServiceError(error)) => Ok(json!({
            "name": error.err().code(),
            "message": error.err().message(),
            "status": error.raw().status().as_u16(),
        })),
        Err(other) => Err(format!("no answer of the service: {}", other).into()),
        Ok(_) => Err("it was not refused".into()),
    }
}
