"""Every command of pykubectl, in kubectl's order: its words, the function that does it, an example for its help.

The one place where verbs are registered. Modules are imported when their command is called, so that starting is quick.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verb:
    """One command. `target` is `module:function` under `cli`; `example` its arguments."""

    words: str
    target: str
    example: str

    @property
    def first(self) -> str:
        return self.words.split()[0]


VERBS = (
    Verb("create", "create:create", "-f pod.yaml"),
    Verb("create clusterrole", "create_rbac:clusterrole", "reader --verb=get,list --resource=pods"),
    Verb("create clusterrolebinding", "create_rbac:clusterrolebinding", "admins --clusterrole=admin --user=jane"),
    Verb("create configmap", "create_configs:configmap", "page --from-file=index.html"),
    Verb("create cronjob", "create_workloads:cronjob", "tick --image=busybox --schedule='*/5 * * * *' -- date"),
    Verb("create deployment", "create_workloads:deployment", "web --image=nginx --replicas=3"),
    Verb("create ingress", "create_services:ingress", "web --rule='example.org/*=web:80'"),
    Verb("create job", "create_workloads:job", "once --image=busybox -- date"),
    Verb("create namespace", "create_configs:namespace", "team-a"),
    Verb("create poddisruptionbudget", "create_policy:poddisruptionbudget", "web --selector=app=web --min-available=1"),
    Verb("create priorityclass", "create_policy:priorityclass", "high --value=1000"),
    Verb("create quota", "create_policy:quota", "small --hard=pods=10,cpu=2"),
    Verb("create role", "create_rbac:role", "reader --verb=get,list --resource=pods"),
    Verb("create rolebinding", "create_rbac:rolebinding", "readers --role=reader --serviceaccount=default:ci"),
    Verb("create secret docker-registry", "create_secrets:docker_registry",
         "pull --docker-server=r.example.org --docker-username=u --docker-password=p"),
    Verb("create secret generic", "create_secrets:generic", "password --from-literal=password=s3cret"),
    Verb("create secret tls", "create_secrets:tls", "site --cert=site.crt --key=site.key"),
    Verb("create service clusterip", "create_services:clusterip", "web --tcp=80:8080"),
    Verb("create service externalname", "create_services:externalname", "db --external-name=db.example.org"),
    Verb("create service loadbalancer", "create_services:loadbalancer", "web --tcp=80:8080"),
    Verb("create service nodeport", "create_services:nodeport", "web --tcp=80:8080"),
    Verb("create serviceaccount", "create_configs:serviceaccount", "ci"),
    Verb("create token", "create_configs:token", "ci --duration=1h"),
    Verb("expose", "expose:expose", "deployment/web --port=80 --target-port=8080"),
    Verb("run", "run:run", "shell --image=busybox -it --rm -- sh"),
    Verb("set env", "set_env:env", "deployment/web MODE=fast OLD-"),
    Verb("set image", "set_image:image", "deployment/web web=nginx:1.27"),
    Verb("set resources", "set_image:resources", "deployment/web --limits=cpu=200m,memory=64Mi"),
    Verb("set serviceaccount", "set_image:serviceaccount", "deployment/web ci"),
    Verb("explain", "explain:explain", "pod.spec.containers"),
    Verb("get", "get:get", "pods -A -o wide"),
    Verb("edit", "edit:edit", "deployment/web"),
    Verb("delete", "delete:delete", "pod/web-0 --now"),
    Verb("rollout history", "rollout:history", "deployment/web"),
    Verb("rollout pause", "rollout:pause", "deployment/web"),
    Verb("rollout restart", "rollout:restart", "deployment/web"),
    Verb("rollout resume", "rollout:resume", "deployment/web"),
    Verb("rollout status", "rollout_status:status", "deployment/web --timeout=60s"),
    Verb("rollout undo", "rollout:undo", "deployment/web --to-revision=2"),
    Verb("scale", "changing:scale", "deployment/web --replicas=5"),
    Verb("autoscale", "autoscale:autoscale", "deployment/web --min=2 --max=5 --cpu-percent=80"),
    Verb("cluster-info", "cluster:cluster_info", ""),
    Verb("top node", "cluster:top", ""),
    Verb("top pod", "cluster:top", ""),
    Verb("cordon", "changing:cordon", "node-1"),
    Verb("uncordon", "changing:uncordon", "node-1"),
    Verb("drain", "drain:drain", "node-1 --ignore-daemonsets --delete-emptydir-data"),
    Verb("taint", "taint:taint", "nodes node-1 maintenance=true:NoSchedule"),
    Verb("describe", "describe:describe", "pod/web-0"),
    Verb("logs", "logs:logs", "-f deployment/web"),
    Verb("attach", "attach:attach", "shell -it"),
    Verb("exec", "exec:execute", "web-0 -it -- sh"),
    Verb("port-forward", "port_forward:port_forward", "service/web 8080:80"),
    Verb("cp", "cp:cp", "web-0:/etc/hosts ./hosts"),
    Verb("auth can-i", "auth:can_i", "create pods --as=jane"),
    Verb("auth whoami", "auth:whoami", ""),
    Verb("events", "events:events", "--for=pod/web-0 --watch"),
    Verb("diff", "diff:diff", "-f deployment.yaml"),
    Verb("apply", "apply:apply", "-f deployment.yaml"),
    Verb("patch", "changing:patch", "deployment/web -p '{\"spec\":{\"paused\":true}}'"),
    Verb("replace", "replace:replace", "-f pod.yaml"),
    Verb("wait", "wait:wait", "--for=condition=Ready pod -l app=web --timeout=60s"),
    Verb("label", "changing:label", "pod/web-0 tier=front old-"),
    Verb("annotate", "changing:annotate", "pod/web-0 note='keep this'"),
    Verb("api-resources", "cluster:api_resources", "--namespaced -o name"),
    Verb("api-versions", "cluster:api_versions", ""),
    Verb("config current-context", "config:current_context", ""),
    Verb("config delete-cluster", "config_changes:delete_cluster", "old"),
    Verb("config delete-context", "config_changes:delete_context", "old"),
    Verb("config delete-user", "config_changes:delete_user", "old"),
    Verb("config get-clusters", "config:get_clusters", ""),
    Verb("config get-contexts", "config:get_contexts", ""),
    Verb("config get-users", "config:get_users", ""),
    Verb("config rename-context", "config_changes:rename_context", "old new"),
    Verb("config set-cluster", "config_changes:set_cluster", "home --server=https://10.0.0.1:6443"),
    Verb("config set-context", "config_changes:set_context", "--current --namespace=team-a"),
    Verb("config set-credentials", "config_changes:set_credentials", "jane --token=abc"),
    Verb("config use-context", "config_changes:use_context", "home"),
    Verb("config view", "config:view", "--minify"),
    Verb("version", "cluster:version", ""),
)  # fmt: skip

#: Other names of the same commands.
ALIASES = {
    "create cj": "create cronjob",
    "create cm": "create configmap",
    "create deploy": "create deployment",
    "create ing": "create ingress",
    "create ns": "create namespace",
    "create pc": "create priorityclass",
    "create pdb": "create poddisruptionbudget",
    "create resourcequota": "create quota",
    "create sa": "create serviceaccount",
    "create svc": "create service",
    "top no": "top node",
    "top nodes": "top node",
    "top po": "top pod",
    "top pods": "top pod",
    "rollout hist": "rollout history",
    "config use": "config use-context",
    "set sa": "set serviceaccount",
}

GROUPS = {
    "": "pykubectl drives a Kubernetes cluster: the same commands, flags and output as kubectl's.",
    "create": "Create objects from files, or of the kind that follows.",
    "create secret": "Create a secret.",
    "create service": "Create a service.",
    "set": "Change features of objects.",
    "rollout": "Look after the rollout of deployments, stateful sets and daemon sets.",
    "top": "Show what nodes or pods use.",
    "auth": "Ask what is allowed.",
    "config": "Look at kubeconfig files and change them.",
}
