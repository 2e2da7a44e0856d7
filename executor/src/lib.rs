//! Runs the user's handlers as local processes over the Lambda Runtime API.
