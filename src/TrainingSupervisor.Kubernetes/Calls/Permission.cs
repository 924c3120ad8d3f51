namespace TrainingSupervisor.Kubernetes;

/// <summary>One thing that we ask of the API, and the Role that grants it. deploy/role.yaml has all of them.</summary>
internal sealed record Permission(string Verb, string Resource, string Namespace, string Group = "", bool ClusterWide = false)
{
    public override string ToString() => $"{Verb} {Resource}{(ClusterWide ? "" : $" in namespace {Namespace}")}";

    public string ToRole() => $$"""
        apiVersion: rbac.authorization.k8s.io/v1
        kind: {{(ClusterWide ? "ClusterRole" : "Role")}}
        metadata: { name: training-supervisor{{(ClusterWide ? "" : $", namespace: {Namespace}")}} }
        rules:
          - { apiGroups: ["{{Group}}"], resources: ["{{Resource}}"], verbs: ["{{Verb}}"] }
        """;
}
