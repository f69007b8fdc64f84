"""The fields that Go's types always write, with the value they have when nobody set them: those without `omitempty`.

So upstream answers `"status": {}`, and `"eventTime": null` in an Event, and clients see the fields there. A field that
is a struct (and no pointer to one) is written even with `omitempty`; its own fields follow from its own line.
Facts of k8s.io/api, k8s.io/apiextensions-apiserver and k8s.io/kube-aggregator v0.34, for the definitions that served
kinds reach, named as in go_types.
"""

import json
from typing import Any

_ALWAYS = """
admissionregistration.v1.AuditAnnotation: key="" valueExpression=""
admissionregistration.v1.ExpressionWarning: fieldRef="" warning=""
admissionregistration.v1.MatchCondition: expression="" name=""
admissionregistration.v1.MutatingWebhook: admissionReviewVersions=null clientConfig={} name=""
    sideEffects=null
admissionregistration.v1.MutatingWebhookConfiguration: metadata={}
admissionregistration.v1.ServiceReference: name="" namespace=""
admissionregistration.v1.ValidatingAdmissionPolicy: metadata={} spec={} status={}
admissionregistration.v1.ValidatingAdmissionPolicyBinding: metadata={} spec={}
admissionregistration.v1.ValidatingWebhook: admissionReviewVersions=null clientConfig={} name=""
    sideEffects=null
admissionregistration.v1.ValidatingWebhookConfiguration: metadata={}
admissionregistration.v1.Validation: expression=""
admissionregistration.v1.Variable: expression="" name=""
admissionregistration.v1alpha1.MatchCondition: expression="" name=""
admissionregistration.v1alpha1.MutatingAdmissionPolicy: metadata={} spec={}
admissionregistration.v1alpha1.MutatingAdmissionPolicyBinding: metadata={} spec={}
admissionregistration.v1alpha1.Mutation: patchType=""
admissionregistration.v1alpha1.Variable: expression="" name=""
admissionregistration.v1beta1.MatchCondition: expression="" name=""
admissionregistration.v1beta1.MutatingAdmissionPolicy: metadata={} spec={}
admissionregistration.v1beta1.MutatingAdmissionPolicyBinding: metadata={} spec={}
admissionregistration.v1beta1.Mutation: patchType=""
admissionregistration.v1beta1.Variable: expression="" name=""
apiextensions.v1.CustomResourceColumnDefinition: jsonPath="" name="" type=""
apiextensions.v1.CustomResourceConversion: strategy=""
apiextensions.v1.CustomResourceDefinition: metadata={} spec={} status={}
apiextensions.v1.CustomResourceDefinitionCondition: lastTransitionTime=null status="" type=""
apiextensions.v1.CustomResourceDefinitionNames: kind="" plural=""
apiextensions.v1.CustomResourceDefinitionSpec: group="" names={} scope="" versions=null
apiextensions.v1.CustomResourceDefinitionStatus: acceptedNames={} conditions=null storedVersions=null
apiextensions.v1.CustomResourceDefinitionVersion: name="" served=false storage=false
apiextensions.v1.CustomResourceSubresourceScale: specReplicasPath="" statusReplicasPath=""
apiextensions.v1.SelectableField: jsonPath=""
apiextensions.v1.ServiceReference: name="" namespace=""
apiextensions.v1.ValidationRule: rule=""
apiextensions.v1.WebhookConversion: conversionReviewVersions=null
apiregistration.v1.APIService: metadata={} spec={} status={}
apiregistration.v1.APIServiceCondition: lastTransitionTime=null status="" type=""
apiregistration.v1.APIServiceSpec: groupPriorityMinimum=0 versionPriority=0
apps.v1.ControllerRevision: data=null metadata={} revision=0
apps.v1.DaemonSet: metadata={} spec={} status={}
apps.v1.DaemonSetCondition: lastTransitionTime=null status="" type=""
apps.v1.DaemonSetSpec: selector=null template={} updateStrategy={}
apps.v1.DaemonSetStatus: currentNumberScheduled=0 desiredNumberScheduled=0 numberMisscheduled=0 numberReady=0
apps.v1.Deployment: metadata={} spec={} status={}
apps.v1.DeploymentCondition: lastTransitionTime=null lastUpdateTime=null status="" type=""
apps.v1.DeploymentSpec: selector=null strategy={} template={}
apps.v1.ReplicaSet: metadata={} spec={} status={}
apps.v1.ReplicaSetCondition: lastTransitionTime=null status="" type=""
apps.v1.ReplicaSetSpec: selector=null template={}
apps.v1.ReplicaSetStatus: replicas=0
apps.v1.StatefulSet: metadata={} spec={} status={}
apps.v1.StatefulSetCondition: lastTransitionTime=null status="" type=""
apps.v1.StatefulSetOrdinals: start=0
apps.v1.StatefulSetSpec: selector=null serviceName="" template={} updateStrategy={}
apps.v1.StatefulSetStatus: availableReplicas=0 replicas=0
authentication.v1.SelfSubjectReview: metadata={} status={}
authentication.v1.SelfSubjectReviewStatus: userInfo={}
authentication.v1.TokenRequest: metadata={} spec={} status={}
authentication.v1.TokenRequestSpec: audiences=null boundObjectRef=null expirationSeconds=null
authentication.v1.TokenRequestStatus: expirationTimestamp=null token=""
authentication.v1.TokenReview: metadata={} spec={} status={}
authentication.v1.TokenReviewStatus: user={}
authorization.v1.LocalSubjectAccessReview: metadata={} spec={} status={}
authorization.v1.NonResourceRule: verbs=null
authorization.v1.ResourceRule: verbs=null
authorization.v1.SelfSubjectAccessReview: metadata={} spec={} status={}
authorization.v1.SelfSubjectRulesReview: metadata={} spec={} status={}
authorization.v1.SubjectAccessReview: metadata={} spec={} status={}
authorization.v1.SubjectAccessReviewStatus: allowed=false
authorization.v1.SubjectRulesReviewStatus: incomplete=false nonResourceRules=null resourceRules=null
autoscaling.v1.CrossVersionObjectReference: kind="" name=""
autoscaling.v1.HorizontalPodAutoscaler: metadata={} spec={} status={}
autoscaling.v1.HorizontalPodAutoscalerSpec: maxReplicas=0 scaleTargetRef={}
autoscaling.v1.HorizontalPodAutoscalerStatus: currentReplicas=0 desiredReplicas=0
autoscaling.v1.Scale: metadata={} spec={} status={}
autoscaling.v1.ScaleStatus: replicas=0
autoscaling.v2.ContainerResourceMetricSource: container="" name="" target={}
autoscaling.v2.ContainerResourceMetricStatus: container="" current={} name=""
autoscaling.v2.CrossVersionObjectReference: kind="" name=""
autoscaling.v2.ExternalMetricSource: metric={} target={}
autoscaling.v2.ExternalMetricStatus: current={} metric={}
autoscaling.v2.HPAScalingPolicy: periodSeconds=0 type="" value=0
autoscaling.v2.HorizontalPodAutoscaler: metadata={} spec={} status={}
autoscaling.v2.HorizontalPodAutoscalerCondition: lastTransitionTime=null status="" type=""
autoscaling.v2.HorizontalPodAutoscalerSpec: maxReplicas=0 scaleTargetRef={}
autoscaling.v2.HorizontalPodAutoscalerStatus: currentMetrics=null desiredReplicas=0
autoscaling.v2.MetricIdentifier: name=""
autoscaling.v2.MetricSpec: type=""
autoscaling.v2.MetricStatus: type=""
autoscaling.v2.MetricTarget: type=""
autoscaling.v2.ObjectMetricSource: describedObject={} metric={} target={}
autoscaling.v2.ObjectMetricStatus: current={} describedObject={} metric={}
autoscaling.v2.PodsMetricSource: metric={} target={}
autoscaling.v2.PodsMetricStatus: current={} metric={}
autoscaling.v2.ResourceMetricSource: name="" target={}
autoscaling.v2.ResourceMetricStatus: current={} name=""
batch.v1.CronJob: metadata={} spec={} status={}
batch.v1.CronJobSpec: jobTemplate={} schedule=""
batch.v1.Job: metadata={} spec={} status={}
batch.v1.JobCondition: lastProbeTime=null lastTransitionTime=null status="" type=""
batch.v1.JobSpec: template={}
batch.v1.JobTemplateSpec: metadata={} spec={}
batch.v1.PodFailurePolicy: rules=null
batch.v1.PodFailurePolicyOnExitCodesRequirement: operator="" values=null
batch.v1.PodFailurePolicyOnPodConditionsPattern: status="" type=""
batch.v1.PodFailurePolicyRule: action=""
batch.v1.SuccessPolicy: rules=null
certificates.v1.CertificateSigningRequest: metadata={} spec={} status={}
certificates.v1.CertificateSigningRequestCondition: lastTransitionTime=null lastUpdateTime=null status=""
    type=""
certificates.v1.CertificateSigningRequestSpec: request=null signerName=""
coordination.v1.Lease: metadata={} spec={}
core.v1.AWSElasticBlockStoreVolumeSource: volumeID=""
core.v1.AppArmorProfile: type=""
core.v1.AttachedVolume: devicePath="" name=""
core.v1.AzureDiskVolumeSource: diskName="" diskURI=""
core.v1.AzureFilePersistentVolumeSource: secretName="" secretNamespace=null shareName=""
core.v1.AzureFileVolumeSource: secretName="" shareName=""
core.v1.Binding: metadata={} target={}
core.v1.CSIPersistentVolumeSource: driver="" volumeHandle=""
core.v1.CSIVolumeSource: driver=""
core.v1.CephFSPersistentVolumeSource: monitors=null
core.v1.CephFSVolumeSource: monitors=null
core.v1.CinderPersistentVolumeSource: volumeID=""
core.v1.CinderVolumeSource: volumeID=""
core.v1.ClusterTrustBundleProjection: path=""
core.v1.ComponentCondition: status="" type=""
core.v1.ComponentStatus: metadata={}
core.v1.ConfigMap: metadata={}
core.v1.ConfigMapKeySelector: key=""
core.v1.ConfigMapNodeConfigSource: kubeletConfigKey="" name="" namespace=""
core.v1.Container: name="" resources={}
core.v1.ContainerExtendedResourceRequest: containerName="" requestName="" resourceName=""
core.v1.ContainerImage: names=null
core.v1.ContainerPort: containerPort=0
core.v1.ContainerResizePolicy: resourceName="" restartPolicy=""
core.v1.ContainerStateRunning: startedAt=null
core.v1.ContainerStateTerminated: exitCode=0 finishedAt=null startedAt=null
core.v1.ContainerStatus: image="" imageID="" lastState={} name="" ready=false restartCount=0 state={}
core.v1.DaemonEndpoint: Port=0
core.v1.DownwardAPIVolumeFile: path=""
core.v1.EndpointAddress: ip=""
core.v1.EndpointPort: port=0
core.v1.Endpoints: metadata={}
core.v1.EnvVar: name=""
core.v1.EphemeralContainer: name="" resources={}
core.v1.Event: eventTime=null firstTimestamp=null involvedObject={} lastTimestamp=null metadata={}
    reportingComponent="" reportingInstance="" source={}
core.v1.EventSeries: lastObservedTime=null
core.v1.FileKeySelector: key="" path="" volumeName=""
core.v1.FlexPersistentVolumeSource: driver=""
core.v1.FlexVolumeSource: driver=""
core.v1.GCEPersistentDiskVolumeSource: pdName=""
core.v1.GRPCAction: port=0 service=null
core.v1.GitRepoVolumeSource: repository=""
core.v1.GlusterfsPersistentVolumeSource: endpoints="" path=""
core.v1.GlusterfsVolumeSource: endpoints="" path=""
core.v1.HTTPGetAction: port=0
core.v1.HTTPHeader: name="" value=""
core.v1.HostAlias: ip=""
core.v1.HostIP: ip=""
core.v1.HostPathVolumeSource: path=""
core.v1.ISCSIPersistentVolumeSource: iqn="" lun=0 targetPortal=""
core.v1.ISCSIVolumeSource: iqn="" lun=0 targetPortal=""
core.v1.KeyToPath: key="" path=""
core.v1.LimitRange: metadata={} spec={}
core.v1.LimitRangeItem: type=""
core.v1.LimitRangeSpec: limits=null
core.v1.LinuxContainerUser: gid=0 uid=0
core.v1.LocalVolumeSource: path=""
core.v1.ModifyVolumeStatus: status=""
core.v1.NFSVolumeSource: path="" server=""
core.v1.Namespace: metadata={} spec={} status={}
core.v1.NamespaceCondition: lastTransitionTime=null status="" type=""
core.v1.Node: metadata={} spec={} status={}
core.v1.NodeAddress: address="" type=""
core.v1.NodeCondition: lastHeartbeatTime=null lastTransitionTime=null status="" type=""
core.v1.NodeDaemonEndpoints: kubeletEndpoint={}
core.v1.NodeRuntimeHandler: name=""
core.v1.NodeSelector: nodeSelectorTerms=null
core.v1.NodeSelectorRequirement: key="" operator=""
core.v1.NodeStatus: daemonEndpoints={} nodeInfo={}
core.v1.NodeSystemInfo: architecture="" bootID="" containerRuntimeVersion="" kernelVersion=""
    kubeProxyVersion="" kubeletVersion="" machineID="" operatingSystem="" osImage="" systemUUID=""
core.v1.ObjectFieldSelector: fieldPath=""
core.v1.PersistentVolume: metadata={} spec={} status={}
core.v1.PersistentVolumeClaim: metadata={} spec={} status={}
core.v1.PersistentVolumeClaimCondition: lastProbeTime=null lastTransitionTime=null status="" type=""
core.v1.PersistentVolumeClaimSpec: resources={}
core.v1.PersistentVolumeClaimTemplate: metadata={} spec={}
core.v1.PersistentVolumeClaimVolumeSource: claimName=""
core.v1.PhotonPersistentDiskVolumeSource: pdID=""
core.v1.Pod: metadata={} spec={} status={}
core.v1.PodAffinityTerm: topologyKey=""
core.v1.PodCondition: lastProbeTime=null lastTransitionTime=null status="" type=""
core.v1.PodExtendedResourceClaimStatus: requestMappings=null resourceClaimName=""
core.v1.PodIP: ip=""
core.v1.PodOS: name=""
core.v1.PodReadinessGate: conditionType=""
core.v1.PodResourceClaim: name=""
core.v1.PodResourceClaimStatus: name=""
core.v1.PodSchedulingGate: name=""
core.v1.PodSpec: containers=null
core.v1.PodTemplate: metadata={} template={}
core.v1.PodTemplateSpec: metadata={} spec={}
core.v1.PortStatus: port=0 protocol=""
core.v1.PortworxVolumeSource: volumeID=""
core.v1.PreferredSchedulingTerm: preference={} weight=0
core.v1.ProjectedVolumeSource: sources=null
core.v1.QuobyteVolumeSource: registry="" volume=""
core.v1.RBDPersistentVolumeSource: image="" monitors=null
core.v1.RBDVolumeSource: image="" monitors=null
core.v1.ReplicationController: metadata={} spec={} status={}
core.v1.ReplicationControllerCondition: lastTransitionTime=null status="" type=""
core.v1.ReplicationControllerStatus: replicas=0
core.v1.ResourceClaim: name=""
core.v1.ResourceFieldSelector: divisor="0" resource=""
core.v1.ResourceHealth: resourceID=""
core.v1.ResourceQuota: metadata={} spec={} status={}
core.v1.ResourceStatus: name=""
core.v1.ScaleIOPersistentVolumeSource: gateway="" secretRef=null system=""
core.v1.ScaleIOVolumeSource: gateway="" secretRef=null system=""
core.v1.ScopedResourceSelectorRequirement: operator="" scopeName=""
core.v1.SeccompProfile: type=""
core.v1.Secret: metadata={}
core.v1.SecretKeySelector: key=""
core.v1.Service: metadata={} spec={} status={}
core.v1.ServiceAccount: metadata={}
core.v1.ServiceAccountTokenProjection: path=""
core.v1.ServicePort: port=0 targetPort=0
core.v1.ServiceStatus: loadBalancer={}
core.v1.SleepAction: seconds=0
core.v1.Sysctl: name="" value=""
core.v1.TCPSocketAction: port=0
core.v1.Taint: effect="" key=""
core.v1.TopologySelectorLabelRequirement: key="" values=null
core.v1.TopologySpreadConstraint: maxSkew=0 topologyKey="" whenUnsatisfiable=""
core.v1.TypedLocalObjectReference: apiGroup=null kind="" name=""
core.v1.TypedObjectReference: apiGroup=null kind="" name=""
core.v1.Volume: name=""
core.v1.VolumeDevice: devicePath="" name=""
core.v1.VolumeMount: mountPath="" name=""
core.v1.VolumeMountStatus: mountPath="" name=""
core.v1.VsphereVirtualDiskVolumeSource: volumePath=""
core.v1.WeightedPodAffinityTerm: podAffinityTerm={} weight=0
discovery.v1.Endpoint: addresses=null conditions={}
discovery.v1.EndpointSlice: addressType="" endpoints=null metadata={} ports=null
discovery.v1.ForNode: name=""
discovery.v1.ForZone: name=""
events.v1.Event: deprecatedFirstTimestamp=null deprecatedLastTimestamp=null deprecatedSource={} eventTime=null
    metadata={} regarding={}
events.v1.EventSeries: count=0 lastObservedTime=null
flowcontrol.v1.FlowDistinguisherMethod: type=""
flowcontrol.v1.FlowSchema: metadata={} spec={} status={}
flowcontrol.v1.FlowSchemaCondition: lastTransitionTime=null
flowcontrol.v1.FlowSchemaSpec: matchingPrecedence=0 priorityLevelConfiguration={}
flowcontrol.v1.GroupSubject: name=""
flowcontrol.v1.LimitResponse: type=""
flowcontrol.v1.LimitedPriorityLevelConfiguration: limitResponse={} nominalConcurrencyShares=null
flowcontrol.v1.NonResourcePolicyRule: nonResourceURLs=null verbs=null
flowcontrol.v1.PolicyRulesWithSubjects: subjects=null
flowcontrol.v1.PriorityLevelConfiguration: metadata={} spec={} status={}
flowcontrol.v1.PriorityLevelConfigurationCondition: lastTransitionTime=null
flowcontrol.v1.PriorityLevelConfigurationReference: name=""
flowcontrol.v1.PriorityLevelConfigurationSpec: type=""
flowcontrol.v1.QueuingConfiguration: handSize=0 queueLengthLimit=0 queues=0
flowcontrol.v1.ResourcePolicyRule: apiGroups=null namespaces=null resources=null verbs=null
flowcontrol.v1.ServiceAccountSubject: name="" namespace=""
flowcontrol.v1.Subject: kind=""
flowcontrol.v1.UserSubject: name=""
meta.v1.APIGroup: name="" preferredVersion={} versions=null
meta.v1.APIVersions: serverAddressByClientCIDRs=null versions=null
meta.v1.Condition: lastTransitionTime=null message="" reason="" status="" type=""
meta.v1.FieldSelectorRequirement: key="" operator=""
meta.v1.GroupVersionForDiscovery: groupVersion="" version=""
meta.v1.LabelSelectorRequirement: key="" operator=""
meta.v1.OwnerReference: apiVersion="" kind="" name="" uid=""
meta.v1.ServerAddressByClientCIDR: clientCIDR="" serverAddress=""
meta.v1.Status: metadata={}
networking.v1.HTTPIngressPath: backend={} pathType=null
networking.v1.HTTPIngressRuleValue: paths=null
networking.v1.IPAddress: metadata={} spec={}
networking.v1.IPBlock: cidr=""
networking.v1.Ingress: metadata={} spec={} status={}
networking.v1.IngressClass: metadata={} spec={}
networking.v1.IngressClassParametersReference: kind="" name="" scope=null
networking.v1.IngressPortStatus: port=0 protocol=""
networking.v1.IngressServiceBackend: name="" port={}
networking.v1.IngressStatus: loadBalancer={}
networking.v1.NetworkPolicy: metadata={} spec={}
networking.v1.NetworkPolicySpec: podSelector={}
networking.v1.ServiceCIDR: metadata={} spec={} status={}
node.v1.RuntimeClass: handler="" metadata={}
policy.v1.Eviction: metadata={}
policy.v1.PodDisruptionBudget: metadata={} spec={} status={}
policy.v1.PodDisruptionBudgetStatus: currentHealthy=0 desiredHealthy=0 disruptionsAllowed=0 expectedPods=0
rbac.v1.ClusterRole: metadata={} rules=null
rbac.v1.ClusterRoleBinding: metadata={} roleRef={}
rbac.v1.PolicyRule: verbs=null
rbac.v1.Role: metadata={} rules=null
rbac.v1.RoleBinding: metadata={} roleRef={}
rbac.v1.RoleRef: apiGroup="" kind="" name=""
rbac.v1.Subject: kind="" name=""
resource.v1.AllocatedDeviceStatus: conditions=null device="" driver="" pool=""
resource.v1.AllocationResult: devices={}
resource.v1.CELDeviceSelector: expression=""
resource.v1.CapacityRequestPolicy: default=null
resource.v1.Counter: value="0"
resource.v1.CounterSet: name=""
resource.v1.Device: name=""
resource.v1.DeviceAllocationConfiguration: source=""
resource.v1.DeviceCapacity: value="0"
resource.v1.DeviceClaim: requests=null
resource.v1.DeviceClass: metadata={} spec={}
resource.v1.DeviceCounterConsumption: counterSet=""
resource.v1.DeviceRequest: name=""
resource.v1.DeviceRequestAllocationResult: device="" driver="" pool="" request=""
resource.v1.DeviceSubRequest: deviceClassName="" name=""
resource.v1.DeviceTaint: effect="" key=""
resource.v1.ExactDeviceRequest: deviceClassName=""
resource.v1.OpaqueDeviceConfiguration: driver="" parameters=null
resource.v1.ResourceClaim: metadata={} spec={} status={}
resource.v1.ResourceClaimConsumerReference: name="" resource="" uid=""
resource.v1.ResourceClaimSpec: devices={}
resource.v1.ResourceClaimTemplate: metadata={} spec={}
resource.v1.ResourceClaimTemplateSpec: metadata={} spec={}
resource.v1.ResourcePool: generation=0 name="" resourceSliceCount=0
resource.v1.ResourceSlice: metadata={} spec={}
resource.v1.ResourceSliceSpec: devices=null driver="" pool={}
scheduling.v1.PriorityClass: metadata={} value=0
storage.v1.CSIDriver: metadata={} spec={}
storage.v1.CSINode: metadata={} spec={}
storage.v1.CSINodeDriver: name="" nodeID="" topologyKeys=null
storage.v1.CSINodeSpec: drivers=null
storage.v1.CSIStorageCapacity: metadata={} storageClassName=""
storage.v1.StorageClass: metadata={} provisioner=""
storage.v1.TokenRequest: audience=""
storage.v1.VolumeAttachment: metadata={} spec={} status={}
storage.v1.VolumeAttachmentSpec: attacher="" nodeName="" source={}
storage.v1.VolumeAttachmentStatus: attached=false
storage.v1.VolumeAttributesClass: driverName="" metadata={}
storage.v1.VolumeError: time=null
"""

#: Definition: its fields that are always written, and their zero; {} stands for a struct with zeros of its own.
ALWAYS: dict[str, dict[str, Any]] = {
    name: {field: json.loads(zero) for field, _, zero in (pair.partition("=") for pair in fields.split())}
    for name, fields in (line.split(": ", 1) for line in _ALWAYS.strip().replace("\n    ", " ").split("\n"))
}
