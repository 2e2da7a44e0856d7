"""Many functions, many clients, and clients that try again: paginators, 200 functions, 50 threads, the SDK's retries."""

import concurrent.futures
import threading

from lambda_api import ARN, ApiCase, call, create, remove, says, serve, unserve, zipped

CODE = says("hi")
MANY = 200


def setUpModule():
    serve()


def tearDownModule():
    unserve()


class Pages(ApiCase):
    def pages(self, operation, member, size=None, **parameters):
        """The items of every page, and how many each page had."""
        config = {"PageSize": size} if size else {}
        pages = list(self.client.get_paginator(operation).paginate(**parameters, PaginationConfig=config))
        return [item for page in pages for item in page[member]], [len(page[member]) for page in pages]

    def test_functions(self):
        names = [f"many-{n:03}" for n in range(MANY)]
        self.addCleanup(remove, self.client, *names)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: create(self.client, name, CODE, wait=False), names))
        # A page has 50 at most, whatever is asked for.
        for size, expected in [(None, [50] * 4), (50, [50] * 4), (10_000, [50] * 4), (30, [30] * 6 + [20])]:
            found, sizes = self.pages("list_functions", "Functions", size)
            self.assertEqual(sizes, expected)
            self.assertEqual(sorted(item["FunctionName"] for item in found), names)
        self.assertEqual(self.client.get_account_settings()["AccountUsage"]["FunctionCount"], MANY)
        found = self.pages("list_functions", "Functions", FunctionVersion="ALL")[0]
        self.assertEqual({item["FunctionArn"] for item in found}, {f"{ARN}{name}:$LATEST" for name in names})
        # Every tenth of them: each is cold, and a process of its own.
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            said = list(pool.map(lambda name: call(self.client, name), names[::10]))
        self.assertEqual(said, ["hi"] * (MANY // 10))
        first = self.client.list_functions(MaxItems=1)
        self.client.delete_function(FunctionName=first["Functions"][0]["FunctionName"])
        # A marker is good even where its item is gone.
        second = self.client.list_functions(MaxItems=1, Marker=first["NextMarker"])
        self.assertNotEqual(second["Functions"][0]["FunctionName"], first["Functions"][0]["FunctionName"])
        with self.assertRaises(self.client.exceptions.InvalidParameterValueException):
            self.client.list_functions(Marker="no marker of this list")

    def test_versions_and_aliases(self):
        self.function("paged", CODE)
        for n in range(1, 13):
            self.client.update_function_configuration(FunctionName="paged", Description=str(n))
            self.client.get_waiter("function_updated_v2").wait(FunctionName="paged")
            self.client.publish_version(FunctionName="paged")
            self.client.create_alias(FunctionName="paged", Name=f"a{n:02}", FunctionVersion=str(n))
        found, sizes = self.pages("list_versions_by_function", "Versions", 5, FunctionName="paged")
        self.assertEqual([item["Version"] for item in found], ["$LATEST", *map(str, range(1, 13))])
        self.assertEqual(sizes, [5, 5, 3])
        found, sizes = self.pages("list_aliases", "Aliases", 5, FunctionName="paged")
        self.assertEqual([item["Name"] for item in found], [f"a{n:02}" for n in range(1, 13)])
        self.assertEqual(sizes, [5, 5, 2])
        for n in range(1, 5):
            self.client.put_function_event_invoke_config(FunctionName="paged", Qualifier=str(n), MaximumRetryAttempts=0)
            self.client.create_function_url_config(FunctionName="paged", Qualifier=f"a{n:02}", AuthType="NONE")
            self.client.put_provisioned_concurrency_config(
                FunctionName="paged", Qualifier=str(n), ProvisionedConcurrentExecutions=1
            )
        lists = [
            ("list_provisioned_concurrency_configs", "ProvisionedConcurrencyConfigs"),
            ("list_function_event_invoke_configs", "FunctionEventInvokeConfigs"),
            ("list_function_url_configs", "FunctionUrlConfigs"),
        ]
        for operation, member in lists:
            found, sizes = self.pages(operation, member, 3, FunctionName="paged")
            self.assertEqual((len({item["FunctionArn"] for item in found}), sizes), (4, [3, 1]))

    def test_event_source_mappings(self):
        self.assertEqual(self.pages("list_event_source_mappings", "EventSourceMappings"), ([], [0]))

    def test_layers(self):
        for name in ("layer-a", "layer-b"):
            for n in range(4):
                self.client.publish_layer_version(LayerName=name, Content={"ZipFile": zipped({"n": str(n)})})
        found, sizes = self.pages("list_layer_versions", "LayerVersions", 3, LayerName="layer-a")
        self.assertEqual(([item["Version"] for item in found], sizes), ([4, 3, 2, 1], [3, 1]))
        found, sizes = self.pages("list_layers", "Layers", 1)
        self.assertEqual(({item["LayerName"] for item in found}, sizes), ({"layer-a", "layer-b"}, [1, 1]))


class Parallel(ApiCase):
    def test_fifty_clients(self):
        """Each makes, calls, changes and deletes a function of its own; at the end nothing is left."""
        client = self.live.connect(retries={"total_max_attempts": 1}, max_pool_connections=50)
        together = threading.Barrier(50)

        def one(n):
            name = f"parallel-{n}"
            together.wait()
            # Fifty interpreters start at once, and few cores may have to do it.
            create(client, name, says(f"{n}"), Timeout=60)
            first = call(client, name)
            client.update_function_code(FunctionName=name, ZipFile=says(f"{n} again"))
            client.get_waiter("function_updated_v2").wait(FunctionName=name)
            second = call(client, name)
            client.delete_function(FunctionName=name)
            return first, second

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            self.assertEqual(list(pool.map(one, range(50))), [(f"{n}", f"{n} again") for n in range(50)])
        left = [item["FunctionName"] for item in self.client.list_functions()["Functions"]]
        self.assertEqual([name for name in left if name.startswith("parallel-")], [])

    def test_fifty_clients_make_one_function(self):
        """One of them does; the others are told."""
        client = self.live.connect(retries={"total_max_attempts": 1}, max_pool_connections=50)
        self.addCleanup(remove, client, "contested")

        def one(_):
            try:
                create(client, "contested", CODE, wait=False)
            except client.exceptions.ResourceConflictException:
                return "told"
            return "made"

        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            outcomes = sorted(pool.map(one, range(50)))
        self.assertEqual(outcomes, ["made"] + ["told"] * 49)


class Retries(ApiCase):
    def attempts(self, mode):
        """How often a client asks that is throttled each time."""
        client = self.live.connect(retries={"mode": mode})
        sent = []
        client.meta.events.register("before-send.lambda.Invoke", lambda **_: sent.append(1))
        with self.assertRaises(client.exceptions.TooManyRequestsException) as caught:
            client.invoke(FunctionName="throttled")
        tries = caught.exception.response["ResponseMetadata"]["RetryAttempts"]
        self.assertEqual(tries, len(sent) - 1)
        return len(sent)

    def test_clients_try_a_throttled_call_again(self):
        self.function("throttled", CODE)
        self.client.put_function_concurrency(FunctionName="throttled", ReservedConcurrentExecutions=0)
        self.assertEqual(self.attempts("standard"), 3)

    def test_a_retry_comes_through_when_it_may(self):
        self.function("opened", CODE)
        self.client.put_function_concurrency(FunctionName="opened", ReservedConcurrentExecutions=0)
        client = self.live.connect(retries={"mode": "standard"})
        sent = []

        def second(**_):
            sent.append(1)
            if len(sent) == 2:
                self.client.delete_function_concurrency(FunctionName="opened")

        client.meta.events.register("before-send.lambda.Invoke", second)
        self.assertEqual(call(client, "opened"), "hi")
        self.assertEqual(len(sent), 2)
