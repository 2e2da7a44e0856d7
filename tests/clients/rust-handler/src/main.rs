//! The handler of `handlers/README.md` on the crate `lambda_runtime`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lambda_runtime::{run, service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

static CALLS: AtomicU64 = AtomicU64::new(0);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::var("INIT").is_ok_and(|init| init == "fail") {
        return Err("no init today".into());
    }
    run(service_fn(handler)).await
}

async fn handler(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let calls = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let (event, context) = event.into_parts();
    let action = event["do"].as_str().unwrap_or_default();
    println!("got {action}");
    match action {
        "context" => {
            let remaining = context
                .deadline()
                .elapsed()
                .map_or_else(|left| left.duration().as_millis(), |_| 0);
            let custom = context.client_context.map(|client| client.custom);
            return Ok(json!({
                "id": context.request_id, "arn": context.invoked_function_arn, "custom": custom,
                "name": context.env_config.function_name, "memory": context.env_config.memory.to_string(),
                "remaining": remaining as u64,
            }));
        }
        "exit" => std::process::exit(3),
        "panic" => panic!("no handler today"),
        "sleep" => tokio::time::sleep(Duration::from_secs(600)).await,
        "large" => {
            return Ok("x"
                .repeat(event["size"].as_u64().unwrap_or(2) as usize - 2)
                .into())
        }
        _ => {}
    }
    if action == "fail" || (action == "flaky" && calls < 3) {
        return Err(event["message"].as_str().unwrap_or("not yet").into());
    }
    Ok(json!({ "calls": calls }))
}
