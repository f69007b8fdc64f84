"""What Go's types know and the OpenAPI schema does not: which optional scalars are pointers, and named string types.

Where a field is a pointer, its zero value (`""`, `0`, `false`) is a value; elsewhere it means absence, and upstream
never writes it back (`omitempty`). The names of types appear in messages about mistyped fields.
Facts of k8s.io/api and k8s.io/apimachinery v0.34.0, for the definitions that served kinds reach; a definition is named
by group, version and type as at the end of its OpenAPI name.
"""

#: Definition: its optional fields of type *string, *bool, *int32, *int64.
_POINTERS = """
admissionregistration.v1.MatchResources: matchPolicy
admissionregistration.v1.MutatingWebhook: failurePolicy matchPolicy reinvocationPolicy sideEffects
    timeoutSeconds
admissionregistration.v1.NamedRuleWithOperations: scope
admissionregistration.v1.ParamRef: parameterNotFoundAction
admissionregistration.v1.RuleWithOperations: scope
admissionregistration.v1.ServiceReference: path port
admissionregistration.v1.ValidatingAdmissionPolicySpec: failurePolicy
admissionregistration.v1.ValidatingWebhook: failurePolicy matchPolicy sideEffects timeoutSeconds
admissionregistration.v1.Validation: reason
admissionregistration.v1.WebhookClientConfig: url
apiregistration.v1.ServiceReference: port
admissionregistration.v1alpha1.MatchResources: matchPolicy
admissionregistration.v1alpha1.MutatingAdmissionPolicySpec: failurePolicy
admissionregistration.v1alpha1.NamedRuleWithOperations: scope
admissionregistration.v1alpha1.ParamRef: parameterNotFoundAction
admissionregistration.v1beta1.MatchResources: matchPolicy
admissionregistration.v1beta1.MutatingAdmissionPolicySpec: failurePolicy
admissionregistration.v1beta1.NamedRuleWithOperations: scope
admissionregistration.v1beta1.ParamRef: parameterNotFoundAction
apps.v1.DaemonSetSpec: revisionHistoryLimit
apps.v1.DaemonSetStatus: collisionCount
apps.v1.DeploymentSpec: progressDeadlineSeconds replicas revisionHistoryLimit
apps.v1.DeploymentStatus: collisionCount terminatingReplicas
apps.v1.ReplicaSetSpec: replicas
apps.v1.ReplicaSetStatus: terminatingReplicas
apps.v1.RollingUpdateStatefulSetStrategy: partition
apps.v1.StatefulSetSpec: replicas revisionHistoryLimit
apps.v1.StatefulSetStatus: collisionCount
authentication.v1.TokenRequestSpec: expirationSeconds
autoscaling.v1.HorizontalPodAutoscalerSpec: minReplicas targetCPUUtilizationPercentage
autoscaling.v1.HorizontalPodAutoscalerStatus: currentCPUUtilizationPercentage observedGeneration
autoscaling.v2.HPAScalingRules: selectPolicy stabilizationWindowSeconds
autoscaling.v2.HorizontalPodAutoscalerSpec: minReplicas
autoscaling.v2.HorizontalPodAutoscalerStatus: observedGeneration
autoscaling.v2.MetricTarget: averageUtilization
autoscaling.v2.MetricValueStatus: averageUtilization
batch.v1.CronJobSpec: failedJobsHistoryLimit startingDeadlineSeconds successfulJobsHistoryLimit suspend
    timeZone
batch.v1.JobSpec: activeDeadlineSeconds backoffLimit backoffLimitPerIndex completionMode completions managedBy
    manualSelector maxFailedIndexes parallelism podReplacementPolicy suspend ttlSecondsAfterFinished
batch.v1.JobStatus: failedIndexes ready terminating
batch.v1.PodFailurePolicyOnExitCodesRequirement: containerName
batch.v1.SuccessPolicyRule: succeededCount succeededIndexes
certificates.v1.CertificateSigningRequestSpec: expirationSeconds
coordination.v1.LeaseSpec: holderIdentity leaseDurationSeconds leaseTransitions preferredHolder strategy
core.v1.AppArmorProfile: localhostProfile
core.v1.AzureDiskVolumeSource: cachingMode fsType readOnly
core.v1.AzureFilePersistentVolumeSource: secretNamespace
core.v1.CSIVolumeSource: fsType readOnly
core.v1.ClientIPConfig: timeoutSeconds
core.v1.ClusterTrustBundleProjection: name optional signerName
core.v1.ConfigMap: immutable
core.v1.ConfigMapEnvSource: optional
core.v1.ConfigMapKeySelector: optional
core.v1.ConfigMapProjection: optional
core.v1.ConfigMapVolumeSource: defaultMode optional
core.v1.Container: restartPolicy
core.v1.ContainerStatus: started stopSignal
core.v1.DownwardAPIVolumeFile: mode
core.v1.DownwardAPIVolumeSource: defaultMode
core.v1.EndpointAddress: nodeName
core.v1.EndpointPort: appProtocol
core.v1.EphemeralContainer: restartPolicy
core.v1.FCVolumeSource: lun
core.v1.FileKeySelector: optional
core.v1.GRPCAction: service
core.v1.GlusterfsPersistentVolumeSource: endpointsNamespace
core.v1.HostPathVolumeSource: type
core.v1.ISCSIPersistentVolumeSource: initiatorName
core.v1.ISCSIVolumeSource: initiatorName
core.v1.KeyToPath: mode
core.v1.Lifecycle: stopSignal
core.v1.LoadBalancerIngress: ipMode
core.v1.LocalVolumeSource: fsType
core.v1.NodeFeatures: supplementalGroupsPolicy
core.v1.NodeRuntimeHandlerFeatures: recursiveReadOnlyMounts userNamespaces
core.v1.NodeSwapStatus: capacity
core.v1.PersistentVolumeClaimSpec: storageClassName volumeAttributesClassName volumeMode
core.v1.PersistentVolumeClaimStatus: currentVolumeAttributesClassName
core.v1.PersistentVolumeSpec: volumeAttributesClassName volumeMode
core.v1.PodCertificateProjection: maxExpirationSeconds
core.v1.PodDNSConfigOption: value
core.v1.PodResourceClaim: resourceClaimName resourceClaimTemplateName
core.v1.PodResourceClaimStatus: resourceClaimName
core.v1.PodSecurityContext: fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy
    supplementalGroupsPolicy
core.v1.PodSpec: activeDeadlineSeconds automountServiceAccountToken enableServiceLinks hostUsers
    hostnameOverride preemptionPolicy priority runtimeClassName setHostnameAsFQDN shareProcessNamespace
    terminationGracePeriodSeconds
core.v1.PortStatus: error
core.v1.Probe: terminationGracePeriodSeconds
core.v1.ProjectedVolumeSource: defaultMode
core.v1.ReplicationControllerSpec: replicas
core.v1.SeccompProfile: localhostProfile
core.v1.Secret: immutable
core.v1.SecretEnvSource: optional
core.v1.SecretKeySelector: optional
core.v1.SecretProjection: optional
core.v1.SecretVolumeSource: defaultMode optional
core.v1.SecurityContext: allowPrivilegeEscalation privileged procMount readOnlyRootFilesystem runAsGroup
    runAsNonRoot runAsUser
core.v1.ServiceAccount: automountServiceAccountToken
core.v1.ServiceAccountTokenProjection: expirationSeconds
core.v1.ServicePort: appProtocol
core.v1.ServiceSpec: allocateLoadBalancerNodePorts internalTrafficPolicy ipFamilyPolicy loadBalancerClass
    trafficDistribution
core.v1.Toleration: tolerationSeconds
core.v1.TopologySpreadConstraint: minDomains nodeAffinityPolicy nodeTaintsPolicy
core.v1.TypedLocalObjectReference: apiGroup
core.v1.TypedObjectReference: apiGroup namespace
core.v1.VolumeMount: mountPropagation recursiveReadOnly
core.v1.VolumeMountStatus: recursiveReadOnly
core.v1.WindowsSecurityContextOptions: gmsaCredentialSpec gmsaCredentialSpecName hostProcess runAsUserName
discovery.v1.Endpoint: hostname nodeName zone
discovery.v1.EndpointConditions: ready serving terminating
discovery.v1.EndpointPort: appProtocol name port protocol
flowcontrol.v1.ExemptPriorityLevelConfiguration: lendablePercent nominalConcurrencyShares
flowcontrol.v1.LimitedPriorityLevelConfiguration: borrowingLimitPercent lendablePercent
    nominalConcurrencyShares
meta.v1.DeleteOptions: gracePeriodSeconds ignoreStoreReadErrorWithClusterBreakingPotential orphanDependents
    propagationPolicy
meta.v1.ListMeta: remainingItemCount
meta.v1.ObjectMeta: deletionGracePeriodSeconds
meta.v1.OwnerReference: blockOwnerDeletion controller
meta.v1.Preconditions: resourceVersion
networking.v1.HTTPIngressPath: pathType
networking.v1.IngressClassParametersReference: apiGroup namespace scope
networking.v1.IngressPortStatus: error
networking.v1.IngressSpec: ingressClassName
networking.v1.NetworkPolicyPort: endPort protocol
policy.v1.PodDisruptionBudgetSpec: unhealthyPodEvictionPolicy
resource.v1.AllocatedDeviceStatus: shareID
resource.v1.Device: allNodes allowMultipleAllocations bindsToNode nodeName
resource.v1.DeviceAttribute: bool int string version
resource.v1.DeviceClassSpec: extendedResourceName
resource.v1.DeviceConstraint: distinctAttribute matchAttribute
resource.v1.DeviceRequestAllocationResult: adminAccess
resource.v1.DeviceToleration: tolerationSeconds
resource.v1.ExactDeviceRequest: adminAccess
resource.v1.ResourceSliceSpec: allNodes nodeName perDeviceNodeSelection
storage.v1.CSIDriverSpec: attachRequired fsGroupPolicy nodeAllocatableUpdatePeriodSeconds podInfoOnMount
    requiresRepublish seLinuxMount storageCapacity
storage.v1.StorageClass: allowVolumeExpansion reclaimPolicy volumeBindingMode
storage.v1.TokenRequest: expirationSeconds
storage.v1.VolumeAttachmentSource: persistentVolumeName
storage.v1.VolumeError: errorCode
storage.v1.VolumeNodeResources: count
"""

#: Definition: field=type for strings and integers that have a Go type of their own.
_NAMED = """
admissionregistration.v1.MatchResources: matchPolicy=MatchPolicyType
admissionregistration.v1.MutatingWebhook: failurePolicy=FailurePolicyType matchPolicy=MatchPolicyType
    reinvocationPolicy=ReinvocationPolicyType sideEffects=SideEffectClass
admissionregistration.v1.NamedRuleWithOperations: operations=[]OperationType scope=ScopeType
admissionregistration.v1.ParamRef: parameterNotFoundAction=ParameterNotFoundActionType
admissionregistration.v1.RuleWithOperations: operations=[]OperationType scope=ScopeType
admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec: validationActions=[]ValidationAction
admissionregistration.v1.ValidatingAdmissionPolicySpec: failurePolicy=FailurePolicyType
admissionregistration.v1.ValidatingWebhook: failurePolicy=FailurePolicyType matchPolicy=MatchPolicyType
    sideEffects=SideEffectClass
admissionregistration.v1alpha1.MatchResources: matchPolicy=MatchPolicyType
admissionregistration.v1alpha1.MutatingAdmissionPolicySpec: failurePolicy=FailurePolicyType
    reinvocationPolicy=ReinvocationPolicyType
admissionregistration.v1alpha1.Mutation: patchType=PatchType
admissionregistration.v1alpha1.NamedRuleWithOperations: operations=[]v1.OperationType scope=ScopeType
admissionregistration.v1alpha1.ParamRef: parameterNotFoundAction=ParameterNotFoundActionType
admissionregistration.v1beta1.MatchResources: matchPolicy=MatchPolicyType
admissionregistration.v1beta1.MutatingAdmissionPolicySpec: failurePolicy=FailurePolicyType
    reinvocationPolicy=ReinvocationPolicyType
admissionregistration.v1beta1.Mutation: patchType=PatchType
admissionregistration.v1beta1.NamedRuleWithOperations: operations=[]v1.OperationType scope=ScopeType
admissionregistration.v1beta1.ParamRef: parameterNotFoundAction=ParameterNotFoundActionType
apiextensions.v1.CustomResourceConversion: strategy=ConversionStrategyType
apiextensions.v1.CustomResourceDefinitionCondition: status=ConditionStatus
    type=CustomResourceDefinitionConditionType
apiextensions.v1.CustomResourceDefinitionSpec: scope=ResourceScope
apiextensions.v1.JSONSchemaProps: x-kubernetes-validations=ValidationRules
apiextensions.v1.ValidationRule: reason=FieldValueErrorReason
apps.v1.DaemonSetCondition: type=DaemonSetConditionType
apps.v1.DaemonSetUpdateStrategy: type=DaemonSetUpdateStrategyType
apps.v1.DeploymentCondition: type=DeploymentConditionType
apps.v1.DeploymentStrategy: type=DeploymentStrategyType
apps.v1.ReplicaSetCondition: type=ReplicaSetConditionType
apps.v1.StatefulSetCondition: type=StatefulSetConditionType
apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy: whenDeleted=PersistentVolumeClaimRetentionPolicyType
    whenScaled=PersistentVolumeClaimRetentionPolicyType
apps.v1.StatefulSetSpec: podManagementPolicy=PodManagementPolicyType
apps.v1.StatefulSetUpdateStrategy: type=StatefulSetUpdateStrategyType
autoscaling.v2.HPAScalingPolicy: type=HPAScalingPolicyType
autoscaling.v2.HPAScalingRules: selectPolicy=ScalingPolicySelect
autoscaling.v2.HorizontalPodAutoscalerCondition: type=HorizontalPodAutoscalerConditionType
autoscaling.v2.MetricSpec: type=MetricSourceType
autoscaling.v2.MetricStatus: type=MetricSourceType
autoscaling.v2.MetricTarget: type=MetricTargetType
batch.v1.CronJobSpec: concurrencyPolicy=ConcurrencyPolicy
batch.v1.JobCondition: type=JobConditionType
batch.v1.JobSpec: completionMode=CompletionMode podReplacementPolicy=PodReplacementPolicy
batch.v1.PodFailurePolicyOnExitCodesRequirement: operator=PodFailurePolicyOnExitCodesOperator
batch.v1.PodFailurePolicyRule: action=PodFailurePolicyAction
certificates.v1.CertificateSigningRequestCondition: type=RequestConditionType
coordination.v1.LeaseSpec: strategy=CoordinatedLeaseStrategy
core.v1.AppArmorProfile: type=AppArmorProfileType
core.v1.AttachedVolume: name=UniqueVolumeName
core.v1.AzureDiskVolumeSource: cachingMode=AzureDataDiskCachingMode
core.v1.ComponentCondition: status=ConditionStatus type=ComponentConditionType
core.v1.Container: imagePullPolicy=PullPolicy restartPolicy=ContainerRestartPolicy
    terminationMessagePolicy=TerminationMessagePolicy
core.v1.ContainerPort: protocol=Protocol
core.v1.ContainerResizePolicy: resourceName=ResourceName restartPolicy=ResourceResizeRestartPolicy
core.v1.ContainerRestartRule: action=ContainerRestartRuleAction
core.v1.ContainerRestartRuleOnExitCodes: operator=ContainerRestartRuleOnExitCodesOperator
core.v1.ContainerStatus: stopSignal=Signal
core.v1.EmptyDirVolumeSource: medium=StorageMedium
core.v1.EndpointPort: protocol=Protocol
core.v1.EphemeralContainer: imagePullPolicy=PullPolicy restartPolicy=ContainerRestartPolicy
    terminationMessagePolicy=TerminationMessagePolicy
core.v1.HTTPGetAction: scheme=URIScheme
core.v1.HostPathVolumeSource: type=HostPathType
core.v1.ImageVolumeSource: pullPolicy=PullPolicy
core.v1.Lifecycle: stopSignal=Signal
core.v1.LimitRangeItem: type=LimitType
core.v1.LoadBalancerIngress: ipMode=LoadBalancerIPMode
core.v1.ModifyVolumeStatus: status=PersistentVolumeClaimModifyVolumeStatus
core.v1.NamespaceCondition: status=ConditionStatus type=NamespaceConditionType
core.v1.NamespaceStatus: phase=NamespacePhase
core.v1.NodeAddress: type=NodeAddressType
core.v1.NodeCondition: status=ConditionStatus type=NodeConditionType
core.v1.NodeSelectorRequirement: operator=NodeSelectorOperator
core.v1.NodeStatus: phase=NodePhase
core.v1.PersistentVolumeClaimCondition: status=ConditionStatus type=PersistentVolumeClaimConditionType
core.v1.PersistentVolumeClaimSpec: volumeMode=PersistentVolumeMode
core.v1.PersistentVolumeClaimStatus: phase=PersistentVolumeClaimPhase
core.v1.PersistentVolumeSpec: persistentVolumeReclaimPolicy=PersistentVolumeReclaimPolicy
    volumeMode=PersistentVolumeMode
core.v1.PersistentVolumeStatus: phase=PersistentVolumePhase
core.v1.PodCondition: status=ConditionStatus type=PodConditionType
core.v1.PodOS: name=OSName
core.v1.PodReadinessGate: conditionType=PodConditionType
core.v1.PodSecurityContext: fsGroupChangePolicy=PodFSGroupChangePolicy
    seLinuxChangePolicy=PodSELinuxChangePolicy supplementalGroupsPolicy=SupplementalGroupsPolicy
core.v1.PodSpec: dnsPolicy=DNSPolicy preemptionPolicy=PreemptionPolicy restartPolicy=RestartPolicy
core.v1.PodStatus: phase=PodPhase qosClass=PodQOSClass resize=PodResizeStatus
core.v1.PortStatus: protocol=Protocol
core.v1.ReplicationControllerCondition: status=ConditionStatus type=ReplicationControllerConditionType
core.v1.ResourceHealth: health=ResourceHealthStatus resourceID=ResourceID
core.v1.ResourceStatus: name=ResourceName
core.v1.ScopedResourceSelectorRequirement: operator=ScopeSelectorOperator scopeName=ResourceQuotaScope
core.v1.SeccompProfile: type=SeccompProfileType
core.v1.Secret: type=SecretType
core.v1.SecurityContext: procMount=ProcMountType
core.v1.ServicePort: protocol=Protocol
core.v1.ServiceSpec: externalTrafficPolicy=ServiceExternalTrafficPolicy
    internalTrafficPolicy=ServiceInternalTrafficPolicy ipFamilyPolicy=IPFamilyPolicy
    sessionAffinity=ServiceAffinity type=ServiceType
core.v1.Taint: effect=TaintEffect
core.v1.Toleration: effect=TaintEffect operator=TolerationOperator
core.v1.TopologySpreadConstraint: nodeAffinityPolicy=NodeInclusionPolicy nodeTaintsPolicy=NodeInclusionPolicy
    whenUnsatisfiable=UnsatisfiableConstraintAction
core.v1.VolumeMount: mountPropagation=MountPropagationMode recursiveReadOnly=RecursiveReadOnlyMode
core.v1.VolumeMountStatus: recursiveReadOnly=RecursiveReadOnlyMode
discovery.v1.EndpointSlice: addressType=AddressType
flowcontrol.v1.FlowDistinguisherMethod: type=FlowDistinguisherMethodType
flowcontrol.v1.FlowSchemaCondition: status=ConditionStatus type=FlowSchemaConditionType
flowcontrol.v1.LimitResponse: type=LimitResponseType
flowcontrol.v1.PriorityLevelConfigurationCondition: status=ConditionStatus
    type=PriorityLevelConfigurationConditionType
flowcontrol.v1.PriorityLevelConfigurationSpec: type=PriorityLevelEnablement
meta.v1.Condition: status=ConditionStatus
meta.v1.DeleteOptions: propagationPolicy=DeletionPropagation
meta.v1.FieldSelectorRequirement: operator=FieldSelectorOperator
meta.v1.LabelSelectorRequirement: operator=LabelSelectorOperator
meta.v1.ManagedFieldsEntry: operation=ManagedFieldsOperationType
meta.v1.ObjectMeta: uid=types.UID
meta.v1.OwnerReference: uid=types.UID
meta.v1.Preconditions: uid=types.UID
meta.v1.Status: reason=StatusReason
meta.v1.StatusCause: reason=CauseType
networking.v1.HTTPIngressPath: pathType=PathType
policy.v1.PodDisruptionBudgetSpec: unhealthyPodEvictionPolicy=UnhealthyPodEvictionPolicyType
resource.v1.DeviceAllocationConfiguration: source=AllocationConfigSource
resource.v1.DeviceConstraint: distinctAttribute=FullyQualifiedName matchAttribute=FullyQualifiedName
resource.v1.DeviceSubRequest: allocationMode=DeviceAllocationMode
resource.v1.DeviceTaint: effect=DeviceTaintEffect
resource.v1.DeviceToleration: effect=DeviceTaintEffect operator=DeviceTolerationOperator
resource.v1.ExactDeviceRequest: allocationMode=DeviceAllocationMode
storage.v1.CSIDriverSpec: fsGroupPolicy=FSGroupPolicy
storage.v1.StorageClass: volumeBindingMode=VolumeBindingMode
"""


def _table(text: str) -> dict[str, tuple[str, ...]]:
    lines = text.strip().replace("\n    ", " ").split("\n")
    return {name: tuple(fields.split()) for name, fields in (line.split(": ", 1) for line in lines)}


POINTERS: dict[str, frozenset[str]] = {name: frozenset(fields) for name, fields in _table(_POINTERS).items()}
NAMED: dict[str, dict[str, str]] = {
    name: {field: go_type for field, _, go_type in (pair.partition("=") for pair in fields)}
    for name, fields in _table(_NAMED).items()
}
