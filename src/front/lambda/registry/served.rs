//! The operations that are served, and the members of each that are read: a table.
//!
//! What the model knows and this table does not is answered with an error that names it; nothing is accepted and ignored.

use super::{
    Operation, account, alias, concurrency, function, invoke_config, layer, layer_policy, mapping, policy,
    provisioned, recursion, runtime, tags, update, url, version,
};

/// An operation that is served.
pub struct Served {
    /// AWS's name of it.
    pub name: &'static str,
    members: &'static str,
    /// What it does.
    pub run: Operation,
}

impl Served {
    /// Whether a member is read, be every value of it offered or not.
    pub fn reads(&self, member: &str) -> bool {
        self.members.split_whitespace().any(|known| known == member)
    }
}

const fn row(name: &'static str, members: &'static str, run: Operation) -> Served {
    Served { name, members, run }
}

/// Everything that CreateFunction may say.
const NEW_FUNCTION: &str = "FunctionName Code Runtime Role Handler Description Timeout MemorySize Publish PublishTo \
    PackageType VpcConfig DeadLetterConfig Environment KMSKeyArn TracingConfig Tags Layers FileSystemConfigs ImageConfig \
    EphemeralStorage SnapStart LoggingConfig CapacityProviderConfig DurableConfig RuntimeConfig AcceleratorConfig \
    CodeSigningConfigArn Architectures TenancyConfig";
/// Everything that UpdateFunctionConfiguration may say.
const CONFIGURATION: &str = "FunctionName Runtime Role Handler Description Timeout MemorySize VpcConfig DeadLetterConfig \
    Environment KMSKeyArn TracingConfig Layers FileSystemConfigs ImageConfig EphemeralStorage SnapStart LoggingConfig \
    CapacityProviderConfig DurableConfig RuntimeConfig AcceleratorConfig RevisionId";
/// Everything that UpdateFunctionCode may say.
const CODE: &str = "FunctionName ZipFile S3Bucket S3Key S3ObjectVersion ImageUri Publish PublishTo DryRun RevisionId \
    Architectures SourceKMSKeyArn";
/// Everything that CreateEventSourceMapping may say.
const NEW_MAPPING: &str = "EventSourceArn FunctionName Enabled BatchSize FilterCriteria KMSKeyArn MetricsConfig LoggingConfig \
    ScalingConfig MaximumBatchingWindowInSeconds ParallelizationFactor StartingPosition StartingPositionTimestamp \
    DestinationConfig MaximumRecordAgeInSeconds BisectBatchOnFunctionError MaximumRetryAttempts Tags \
    TumblingWindowInSeconds Topics Queues SourceAccessConfigurations SelfManagedEventSource FunctionResponseTypes \
    AmazonManagedKafkaEventSourceConfig SelfManagedKafkaEventSourceConfig DocumentDBEventSourceConfig \
    ProvisionedPollerConfig";
/// Everything that UpdateEventSourceMapping may say.
const MAPPING: &str = "UUID FunctionName Enabled BatchSize FilterCriteria KMSKeyArn MetricsConfig LoggingConfig ScalingConfig \
    MaximumBatchingWindowInSeconds ParallelizationFactor DestinationConfig MaximumRecordAgeInSeconds \
    BisectBatchOnFunctionError MaximumRetryAttempts TumblingWindowInSeconds SourceAccessConfigurations \
    FunctionResponseTypes AmazonManagedKafkaEventSourceConfig SelfManagedKafkaEventSourceConfig \
    DocumentDBEventSourceConfig ProvisionedPollerConfig";
/// Everything that AddPermission may say.
const PERMISSION: &str = "FunctionName StatementId Action Principal SourceArn SourceAccount EventSourceToken \
    FunctionUrlAuthType PrincipalOrgID InvokedViaFunctionUrl Qualifier RevisionId";
/// Everything that settings of asynchronous invocations may say.
const INVOKE: &str = "FunctionName Qualifier MaximumRetryAttempts MaximumEventAgeInSeconds DestinationConfig";

/// Alphabetical.
pub const SERVED: &[Served] = &[
    row(
        "AddLayerVersionPermission",
        "LayerName VersionNumber StatementId Action Principal OrganizationId RevisionId",
        layer_policy::add,
    ),
    row("AddPermission", PERMISSION, policy::add),
    row(
        "CreateAlias",
        "FunctionName Name FunctionVersion Description RoutingConfig",
        alias::create,
    ),
    row("CreateEventSourceMapping", NEW_MAPPING, mapping::create),
    row("CreateFunction", NEW_FUNCTION, function::create),
    row(
        "CreateFunctionUrlConfig",
        "FunctionName Qualifier AuthType Cors InvokeMode",
        url::create,
    ),
    row("DeleteAlias", "FunctionName Name", alias::delete),
    row("DeleteEventSourceMapping", "UUID", mapping::delete),
    row("DeleteFunction", "FunctionName Qualifier", function::delete),
    row("DeleteFunctionConcurrency", "FunctionName", concurrency::delete),
    row(
        "DeleteFunctionEventInvokeConfig",
        "FunctionName Qualifier",
        invoke_config::delete,
    ),
    row("DeleteFunctionUrlConfig", "FunctionName Qualifier", url::delete),
    row("DeleteLayerVersion", "LayerName VersionNumber", layer::delete),
    row(
        "DeleteProvisionedConcurrencyConfig",
        "FunctionName Qualifier",
        provisioned::delete,
    ),
    row("GetAccountSettings", "", account::get),
    row("GetAlias", "FunctionName Name", alias::get),
    row("GetEventSourceMapping", "UUID", mapping::get),
    row("GetFunction", "FunctionName Qualifier", function::get),
    row(
        "GetFunctionCodeSigningConfig",
        "FunctionName",
        runtime::code_signing,
    ),
    row("GetFunctionConcurrency", "FunctionName", concurrency::get),
    row(
        "GetFunctionConfiguration",
        "FunctionName Qualifier",
        function::get_configuration,
    ),
    row(
        "GetFunctionEventInvokeConfig",
        "FunctionName Qualifier",
        invoke_config::get,
    ),
    row("GetFunctionRecursionConfig", "FunctionName", recursion::get),
    row("GetFunctionUrlConfig", "FunctionName Qualifier", url::get),
    row("GetLayerVersion", "LayerName VersionNumber", layer::get),
    row("GetLayerVersionByArn", "Arn", layer::get_by_arn),
    row(
        "GetLayerVersionPolicy",
        "LayerName VersionNumber",
        layer_policy::get,
    ),
    row("GetPolicy", "FunctionName Qualifier", policy::get),
    row(
        "GetProvisionedConcurrencyConfig",
        "FunctionName Qualifier",
        provisioned::get,
    ),
    row(
        "GetRuntimeManagementConfig",
        "FunctionName Qualifier",
        runtime::get,
    ),
    row(
        "ListAliases",
        "FunctionName FunctionVersion Marker MaxItems",
        alias::list,
    ),
    row(
        "ListEventSourceMappings",
        "EventSourceArn FunctionName Marker MaxItems",
        mapping::list,
    ),
    row(
        "ListFunctionEventInvokeConfigs",
        "FunctionName Marker MaxItems",
        invoke_config::list,
    ),
    row(
        "ListFunctionUrlConfigs",
        "FunctionName Marker MaxItems",
        url::list,
    ),
    row(
        "ListFunctions",
        "MasterRegion FunctionVersion Marker MaxItems",
        function::list,
    ),
    row(
        "ListLayerVersions",
        "LayerName CompatibleRuntime CompatibleArchitecture Marker MaxItems",
        layer::list_versions,
    ),
    row(
        "ListLayers",
        "CompatibleRuntime CompatibleArchitecture Marker MaxItems",
        layer::list,
    ),
    row(
        "ListProvisionedConcurrencyConfigs",
        "FunctionName Marker MaxItems",
        provisioned::list,
    ),
    row("ListTags", "Resource", tags::list),
    row(
        "ListVersionsByFunction",
        "FunctionName Marker MaxItems",
        version::list,
    ),
    row(
        "PublishLayerVersion",
        "LayerName Content Description CompatibleRuntimes CompatibleArchitectures LicenseInfo",
        layer::publish,
    ),
    row(
        "PublishVersion",
        "FunctionName CodeSha256 Description RevisionId PublishTo",
        version::publish_version,
    ),
    row(
        "PutFunctionConcurrency",
        "FunctionName ReservedConcurrentExecutions",
        concurrency::put,
    ),
    row("PutFunctionEventInvokeConfig", INVOKE, invoke_config::put),
    row(
        "PutFunctionRecursionConfig",
        "FunctionName RecursiveLoop",
        recursion::put,
    ),
    row(
        "PutProvisionedConcurrencyConfig",
        "FunctionName Qualifier ProvisionedConcurrentExecutions",
        provisioned::put,
    ),
    row(
        "PutRuntimeManagementConfig",
        "FunctionName Qualifier UpdateRuntimeOn RuntimeVersionArn",
        runtime::put,
    ),
    row(
        "RemoveLayerVersionPermission",
        "LayerName VersionNumber StatementId RevisionId",
        layer_policy::remove,
    ),
    row(
        "RemovePermission",
        "FunctionName StatementId Qualifier RevisionId",
        policy::remove,
    ),
    row("TagResource", "Resource Tags", tags::tag),
    row("UntagResource", "Resource TagKeys", tags::untag),
    row(
        "UpdateAlias",
        "FunctionName Name FunctionVersion Description RoutingConfig RevisionId",
        alias::update,
    ),
    row("UpdateEventSourceMapping", MAPPING, mapping::update),
    row("UpdateFunctionCode", CODE, update::code),
    row(
        "UpdateFunctionConfiguration",
        CONFIGURATION,
        update::configuration,
    ),
    row("UpdateFunctionEventInvokeConfig", INVOKE, invoke_config::update),
    row(
        "UpdateFunctionUrlConfig",
        "FunctionName Qualifier AuthType Cors InvokeMode",
        url::update,
    ),
];

/// An operation by AWS's name of it.
pub fn find(name: &str) -> Option<&'static Served> {
    SERVED.iter().find(|served| served.name == name)
}

#[cfg(test)]
mod every_member;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::lambda::model::MODEL;

    #[test]
    fn the_table_is_sorted_and_of_the_model() {
        assert!(SERVED.is_sorted_by_key(|served| served.name));
        for served in SERVED {
            let operation = MODEL
                .operation(served.name)
                .unwrap_or_else(|| panic!("{} is no operation", served.name));
            let known: Vec<&str> = MODEL.members(operation).collect();
            for member in served.members.split_whitespace() {
                assert!(known.contains(&member), "{} has no {member}", served.name);
            }
        }
    }
}
