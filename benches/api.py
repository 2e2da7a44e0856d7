"""Calls a function by boto3 at several endpoints in turn; prints the nanoseconds of each call, a row per turn.

usage: api.py CALLS ENDPOINT...
"""

import sys
import time

import boto3
from botocore.config import Config

WARM_UP = 50


def main():
    calls, endpoints = int(sys.argv[1]), sys.argv[2:]
    clients = [
        boto3.client(
            "lambda",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"total_max_attempts": 1}),
        )
        for endpoint in endpoints
    ]
    for turn in range(WARM_UP + calls):
        row = [call(client) for client in clients]
        if turn >= WARM_UP:
            print(*row)


def call(client):
    began = time.perf_counter_ns()
    answer = client.invoke(FunctionName="f", Payload=b'{"n":1}')
    answer["Payload"].read()
    return time.perf_counter_ns() - began


main()
