"""The front of `triggerfish up` as clients meet it: STS, IAM, signatures, hosts, origins and limits."""

import contextlib
import json
import pathlib
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.config
import botocore.exceptions

from live import BINARY, Live

PROJECT = """
schema: 1
name: front
functions:
  who: { runtime: python3.12, handler: app.handler, code: code, environment: { PYTHONPATH: "$PYTHONPATH" } }
"""

# A handler signs with what it finds in its environment, and asks who it is.
HANDLER = """
import boto3
def handler(event, context):
    return boto3.client("sts").get_caller_identity()["Arn"]
"""

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
MANAGED = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"

KEYS = """
[default]
aws_access_key_id = AKIAFRONT
aws_secret_access_key = right/secret+of=it
"""


def prepare(root):
    (root / "code").mkdir()
    (root / "code" / "app.py").write_text(HANDLER)
    (root / "keys").write_text(KEYS)
    (root / "keys").chmod(0o600)


def project():
    # The handler imports boto3 from where this test does.
    return PROJECT.replace("$PYTHONPATH", str(pathlib.Path(boto3.__file__).parents[1]))


class Front:
    """A running `up` with these arguments, and ways to ask it."""

    arguments = []

    @classmethod
    def setUpClass(cls):
        cls.live = Live(project(), prepare, cls.arguments)
        cls.address = urllib.parse.urlsplit(cls.live.endpoint)

    @classmethod
    def tearDownClass(cls):
        cls.live.stop()

    def client(self, service, key="test", secret="test", token=None, region="us-east-1", endpoint=None):
        return boto3.client(
            service,
            endpoint_url=endpoint or self.live.endpoint,
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def refused(self, call, code, status, text=""):
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            call()
        response = caught.exception.response
        self.assertEqual(response["Error"]["Code"], code)
        self.assertEqual(response["ResponseMetadata"]["HTTPStatusCode"], status)
        self.assertIn(text, response["Error"]["Message"])

    def raw(self, request, wait=30):
        """What comes back for these bytes until the connection ends."""
        with socket.create_connection((self.address.hostname, self.address.port)) as connection:
            connection.settimeout(wait)
            connection.sendall(request)
            answer = b""
            while piece := connection.recv(65536):
                answer += piece
            return answer.decode()

    def get(self, path="/2015-03-31/functions/who/invocations", **headers):
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        return self.raw(f"POST {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\n".encode())


class Open(Front, unittest.TestCase):
    def test_everybody_is_the_account(self):
        for region in ["us-east-1", "eu-west-1"]:
            told = self.client("sts", region=region).get_caller_identity()
            self.assertEqual((told["Account"], told["Arn"]), ("123456789012", "arn:aws:iam::123456789012:root"))
            self.assertRegex(told["ResponseMetadata"]["RequestId"], "^[0-9a-f-]{36}$")

    def test_a_handler_is_a_session_of_its_role(self):
        answer = self.client("lambda").invoke(FunctionName="who")
        arn = json.loads(answer["Payload"].read())
        self.assertEqual(arn, "arn:aws:sts::123456789012:assumed-role/triggerfish/handler")

    def test_roles_are_assumed(self):
        sts = self.client("sts")
        told = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="me")
        keys = told["Credentials"]
        arn = "arn:aws:sts::123456789012:assumed-role/deploy/me"
        self.assertEqual(told["AssumedRoleUser"]["Arn"], arn)
        assumed = self.client("sts", keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
        self.assertEqual(assumed.get_caller_identity()["Arn"], arn)
        self.assertIn("SessionToken", sts.get_session_token()["Credentials"])
        self.refused(lambda: sts.get_federation_token(Name="xx"), "InvalidAction", 400, "AssumeRole")
        self.refused(lambda: sts.assume_role(RoleArn="arn:aws:iam::1:x/yyyyyyyy", RoleSessionName="me"), "ValidationError", 400)

    def test_what_a_deployment_makes_first(self):
        iam = self.client("iam")
        made = iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST, Tags=[{"Key": "a", "Value": "b & <c>"}])
        self.assertEqual(made["Role"]["AssumeRolePolicyDocument"], json.loads(TRUST))
        self.assertEqual(made["Role"]["Arn"], "arn:aws:iam::123456789012:role/fn")
        iam.get_waiter("role_exists").wait(RoleName="fn")
        self.assertEqual(iam.list_role_tags(RoleName="fn")["Tags"], [{"Key": "a", "Value": "b & <c>"}])
        self.refused(
            lambda: iam.create_role(RoleName="fn", AssumeRolePolicyDocument=TRUST), "EntityAlreadyExists", 409, "fn"
        )
        arn = iam.create_policy(PolicyName="pol", PolicyDocument=POLICY)["Policy"]["Arn"]
        iam.get_waiter("policy_exists").wait(PolicyArn=arn)
        version = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]
        self.assertEqual(version["Document"], json.loads(POLICY))
        for each in [arn, MANAGED]:
            iam.attach_role_policy(RoleName="fn", PolicyArn=each)
        attached = iam.get_paginator("list_attached_role_policies").paginate(RoleName="fn").build_full_result()
        self.assertEqual({p["PolicyName"] for p in attached["AttachedPolicies"]}, {"pol", "AWSLambdaBasicExecutionRole"})
        iam.put_role_policy(RoleName="fn", PolicyName="in", PolicyDocument=POLICY)
        self.assertEqual(iam.get_role_policy(RoleName="fn", PolicyName="in")["PolicyDocument"], json.loads(POLICY))
        self.assertEqual(iam.list_role_policies(RoleName="fn")["PolicyNames"], ["in"])
        self.refused(lambda: iam.delete_role(RoleName="fn"), "DeleteConflict", 409, "detach all policies first")
        for each in [arn, MANAGED]:
            iam.detach_role_policy(RoleName="fn", PolicyArn=each)
        self.refused(lambda: iam.delete_role(RoleName="fn"), "DeleteConflict", 409, "delete policies first")
        iam.delete_role_policy(RoleName="fn", PolicyName="in")
        iam.update_assume_role_policy(RoleName="fn", PolicyDocument=TRUST)
        iam.untag_role(RoleName="fn", TagKeys=["a"])
        self.assertIn("fn", [role["RoleName"] for role in iam.list_roles()["Roles"]])
        iam.delete_role(RoleName="fn")
        iam.delete_policy(PolicyArn=arn)
        self.refused(lambda: iam.get_role(RoleName="fn"), "NoSuchEntity", 404, "fn")
        with self.assertRaises(iam.exceptions.MalformedPolicyDocumentException):
            iam.create_role(RoleName="bad", AssumeRolePolicyDocument="{")

    def test_a_service_that_is_not_here_says_so_in_its_own_protocol(self):
        for service, call, code in [
            ("dynamodb", "list_tables", "NotImplementedException"),
            ("ec2", "describe_regions", "NotImplemented"),
            ("route53", "list_hosted_zones", "NotImplemented"),
            ("s3", "list_buckets", "NotImplemented"),
            ("sns", "list_topics", "NotImplemented"),
            ("sqs", "list_queues", "NotImplementedException"),
        ]:
            with self.subTest(service):
                self.refused(getattr(self.client(service), call), code, 501, "iam, lambda and sts are")

    def test_hosts_and_origins(self):
        for host in ["127.0.0.1", "localhost:4566", "lambda.localhost", "[::1]:1"]:
            self.assertIn(" 200 ", self.get(host=host), host)
        for headers in [
            {"host": "evil.com"},
            {"host": "localhost.evil.com"},
            {"host": "localhost", "origin": "http://evil.com"},
            {"host": "localhost", "origin": "null"},
            {"host": "localhost", "sec_fetch_site": "cross-site"},
            {"x": "no host"},
        ]:
            answer = self.get(**headers)
            self.assertRegex(answer, "^HTTP/1.1 403 ", headers)
            self.assertIn("x-amzn-errortype: AccessDeniedException", answer, headers)

    def test_what_is_too_large(self):
        client = self.client("lambda")
        with self.assertRaises(botocore.exceptions.ClientError) as caught:
            client.create_function(
                FunctionName="f", Role="arn:aws:iam::123456789012:role/fn", Code={"ZipFile": bytes(53_000_000)}
            )
        self.assertEqual(
            caught.exception.response["Error"],
            {
                "Code": "RequestEntityTooLargeException",
                "Message": "Request must be smaller than 70167211 bytes for the CreateFunction operation",
            },
        )
        call = lambda: client.tag_resource(  # noqa: E731
            Resource="arn:aws:lambda:us-east-1:123456789012:function:who", Tags={"k": "v" * 2_000_000}
        )
        self.refused(call, "RequestEntityTooLargeException", 413, "1048576 bytes")
        head = self.get(host="localhost", x_long="x" * 300_000)
        self.assertRegex(head, "^HTTP/1.1 431 ")

    def test_who_announces_much_keeps_nobody_from_calling(self):
        head = "POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 70000000\r\n\r\n{"
        with contextlib.ExitStack() as slow:
            for _ in range(8):
                client = slow.enter_context(socket.create_connection((self.address.hostname, self.address.port)))
                client.sendall(head.encode())
            began = time.monotonic()
            client = self.client("lambda")
            self.assertEqual(client.invoke(FunctionName="who", Payload=b" " * 2**21 + b"{}")["StatusCode"], 200)
            code = {"ZipFile": bytes(2**21)}
            made = lambda: client.create_function(  # noqa: E731
                FunctionName="f", Role="arn:aws:iam::123456789012:role/fn", Runtime="python3.12", Handler="a.b", Code=code
            )
            self.refused(made, "InvalidParameterValueException", 400, "unzip")
            # Sooner than the slow ones are given up, after 20 s.
            self.assertLess(time.monotonic() - began, 15)

    def test_roles_survive_a_restart(self):
        live = Live(project(), prepare)
        try:
            client = lambda: live.connect("iam")  # noqa: E731
            made = client().create_role(RoleName="kept", AssumeRolePolicyDocument=TRUST)["Role"]
            client().put_role_policy(RoleName="kept", PolicyName="in", PolicyDocument=POLICY)
            live.kill()
            live.start()
            self.assertEqual(client().get_role(RoleName="kept")["Role"], made)
            self.assertEqual(client().list_role_policies(RoleName="kept")["PolicyNames"], ["in"])
        finally:
            live.stop()


class Signed(Front, unittest.TestCase):
    arguments = ["--require-signature", "keys", "--host", "aws.test"]

    def test_the_right_key_is_taken_everywhere(self):
        for region in ["us-east-1", "ap-south-1"]:
            right = {"key": "AKIAFRONT", "secret": "right/secret+of=it", "region": region}
            self.assertEqual(
                self.client("sts", **right).get_caller_identity()["Arn"], "arn:aws:iam::123456789012:user/default"
            )
            self.assertEqual(self.client("lambda", **right).invoke(FunctionName="who")["StatusCode"], 200)
            arn = "arn:aws:lambda:us-east-1:123456789012:function:who:$LATEST"
            self.assertEqual(self.client("lambda", **right).invoke(FunctionName=arn)["StatusCode"], 200)

    def test_code_is_downloaded_by_its_url_alone(self):
        right = {"key": "AKIAFRONT", "secret": "right/secret+of=it"}
        location = self.client("lambda", **right).get_function(FunctionName="who")["Code"]["Location"]
        with urllib.request.urlopen(location, timeout=30) as answer:
            self.assertEqual(answer.read(2), b"PK")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(location.replace("signature=", "signature=0"), timeout=30)
        self.assertEqual(caught.exception.code, 403)

    def test_other_keys_are_not(self):
        wrong = {"key": "AKIAFRONT", "secret": "wrong"}
        unknown = {"key": "AKIAOTHER", "secret": "x"}
        invoke = lambda who: lambda: self.client("lambda", **who).invoke(FunctionName="who")  # noqa: E731
        ask = lambda who: lambda: self.client("sts", **who).get_caller_identity()  # noqa: E731
        self.refused(invoke(wrong), "InvalidSignatureException", 403, "does not match")
        self.refused(invoke(unknown), "UnrecognizedClientException", 403, "is invalid")
        self.refused(ask(wrong), "SignatureDoesNotMatch", 403)
        self.refused(ask(unknown), "InvalidClientTokenId", 403)
        # What is told of handlers' keys everywhere does not help.
        handler = {
            "key": "ASIATRIGGERFISH00000",
            "secret": "triggerfish/no/secret/at/all/0000000000",
            "token": "triggerfish-session",
        }
        self.refused(invoke(handler), "InvalidSignatureException", 403)
        missing = self.get(host="aws.test")
        self.assertRegex(missing, "^HTTP/1.1 403 ")
        self.assertIn('{"message":"Missing Authentication Token"}', missing)

    def test_a_handler_may_ask(self):
        right = {"key": "AKIAFRONT", "secret": "right/secret+of=it"}
        answer = self.client("lambda", **right).invoke(FunctionName="who")
        arn = json.loads(answer["Payload"].read())
        self.assertEqual(arn, "arn:aws:sts::123456789012:assumed-role/triggerfish/handler")

    def test_temporary_keys_sign(self):
        sts = self.client("sts", "AKIAFRONT", "right/secret+of=it")
        told = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/deploy", RoleSessionName="me")["Credentials"]
        right = (told["AccessKeyId"], told["SecretAccessKey"], told["SessionToken"])
        arn = self.client("sts", *right).get_caller_identity()["Arn"]
        self.assertEqual(arn, "arn:aws:sts::123456789012:assumed-role/deploy/me")
        without = self.client("sts", *right[:2])
        self.refused(without.get_caller_identity, "InvalidClientTokenId", 403)

    def test_a_presigned_call_is_taken(self):
        sts = self.client("sts", "AKIAFRONT", "right/secret+of=it")
        url = sts.generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
        asked = urllib.parse.urlsplit(url)
        def answer(query):
            return self.raw(f"GET /?{query} HTTP/1.1\r\nHost: {asked.netloc}\r\nConnection: close\r\n\r\n".encode())

        self.assertIn("user/default", answer(asked.query))
        self.assertIn("SignatureDoesNotMatch", answer(asked.query.replace("Version=", "version=")))

    def test_curl_signs(self):
        command = ["curl", "-s", "--aws-sigv4", "aws:amz:us-east-1:lambda", "--user", "AKIAFRONT:right/secret+of=it"]
        url = f"{self.live.endpoint}/2015-03-31/functions/who/invocations?Qualifier=%24LATEST"
        out = subprocess.run([*command, "-d", "{}", url], capture_output=True, text=True, timeout=60).stdout
        self.assertIn("assumed-role", out)


class Start(unittest.TestCase):
    def test_roles_that_cannot_be_read_are_named(self):
        with tempfile.TemporaryDirectory() as here:
            (pathlib.Path(here) / "iam.json").write_text("{")
            up = subprocess.run(
                [BINARY, "up", "--listen", "127.0.0.1:0", "--data-dir", "."],
                cwd=here, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            self.assertNotEqual(up.returncode, 0)
            self.assertIn("./iam.json: roles and policies cannot be read", up.stderr)

    def test_keys_that_are_none_are_named(self):
        with tempfile.TemporaryDirectory() as here:
            file = pathlib.Path(here) / "keys"
            for text, said in [
                ("[default]\nnonsense\n", "keys:2: this is neither"),
                ("[default]\naws_access_key_id = x\n", "keys:1: [default] lacks aws_secret_access_key"),
                (None, "failed to read the keys"),
            ]:
                file.write_text(text) if text else file.unlink()
                up = subprocess.run(
                    [BINARY, "up", "--listen", "127.0.0.1:0", "--require-signature", "keys"],
                    cwd=here, capture_output=True, text=True, timeout=60,
                )  # fmt: skip
                self.assertNotEqual(up.returncode, 0)
                self.assertIn(said, up.stderr)
            up = subprocess.run([BINARY, "up", "--host", "http://x"], cwd=here, capture_output=True, text=True, timeout=60)
            self.assertIn("is no host name", up.stderr)

