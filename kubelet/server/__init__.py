"""The kubelet's HTTPS API on port 10250: pods, logs, exec, attach, port-forward, stats, metrics, health.

    app         paths to handlers; `create_app(pods, gate)`
    gate        who may: client certificate or TokenReview, then SubjectAccessReview; kept for a short time
    streams     exec, attach, run, port-forward
    logs        /containerLogs over kubelet.logs
    doors       what the kubelet's core must give: `Pods` and `Session`

It decides nothing about pods and knows no runtime.
"""
