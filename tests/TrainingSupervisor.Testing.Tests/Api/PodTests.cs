using System.Net;
using System.Text.Json.Nodes;
using k8s;
using k8s.Models;

namespace TrainingSupervisor.Testing.Tests.Api;

public sealed class PodTests : ApiTest
{
    private static V1Pod WithRule(string name, string action = "RestartAllContainers")
    {
        var pod = Pod(name);
        pod.Spec.Containers[0].RestartPolicy = "Never";
        pod.Spec.Containers[0].RestartPolicyRules =
            [new() { Action = action, ExitCodes = new() { OperatorProperty = "In", Values = [88] } }];
        return pod;
    }

    [Fact]
    public async Task Create_FillsDefaultsAsRecorded()
    {
        var (status, pod) = await SendAsync("POST", "api/v1/namespaces/default/pods",
            """{"metadata":{"name":"p"},"spec":{"restartPolicy":"Never","containers":[{"name":"main","image":"localhost/busybox:1","imagePullPolicy":"Never"}]}}""");
        Assert.Equal(201, status);
        var expected = JsonNode.Parse("""
            {"containers":[{"name":"main","image":"localhost/busybox:1","resources":{},"terminationMessagePath":"/dev/termination-log","terminationMessagePolicy":"File","imagePullPolicy":"Never"}],
             "restartPolicy":"Never","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","serviceAccountName":"default","serviceAccount":"default","securityContext":{},
             "schedulerName":"default-scheduler","tolerations":[{"key":"node.kubernetes.io/not-ready","operator":"Exists","effect":"NoExecute","tolerationSeconds":300},
             {"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":300}],"priority":0,"enableServiceLinks":true,"preemptionPolicy":"PreemptLowerPriority"}
            """);
        Assert.True(JsonNode.DeepEquals(expected, pod["spec"]), pod["spec"]!.ToJsonString());
        Assert.Equal("""{"phase":"Pending","qosClass":"BestEffort"}""", pod["status"]!.ToJsonString());
        Assert.Equal(1, (int?)pod["metadata"]!["generation"]);
    }

    [Fact]
    public async Task Create_BadRules_NamesEveryCause()
    {
        var (status, body) = await SendAsync("POST", "api/v1/namespaces/default/pods",
            """{"metadata":{"name":"bad"},"spec":{"restartPolicy":"Never","containers":[{"name":"main","restartPolicy":"Never","restartPolicyRules":[{"action":"RestartAllContainers"},{"action":"Nope","exitCodes":{"operator":"Foo","values":[1]}}]}]}}""");
        Assert.Equal(422, status);
        Assert.Equal(
            "Pod \"bad\" is invalid: [spec.containers[0].image: Required value, spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified, spec.containers[0].restartPolicyRules[1].action: Unsupported value: \"Nope\": supported values: \"Restart\", \"RestartAllContainers\", spec.containers[0].restartPolicyRules[1].exitCodes.operator: Unsupported value: \"Foo\": supported values: \"In\", \"NotIn\"]",
            (string?)body["message"]);
        Assert.Equal(4, body["details"]!["causes"]!.AsArray().Count);
    }

    [Fact]
    public async Task Create_ActionGateOff_Unsupported()
    {
        await using var cluster = await EmbeddedCluster.StartAsync(new() { NodeCount = 0, UseTls = false, RestartAllContainers = false });
        using var client = cluster.CreateClient();
        var status = await FailsAsync(HttpStatusCode.UnprocessableEntity, client.CoreV1.CreateNamespacedPodAsync(WithRule("a1"), "default"));
        Assert.Equal(
            "Pod \"a1\" is invalid: spec.containers[0].restartPolicyRules[0].action: Unsupported value: \"RestartAllContainers\": supported values: \"Restart\"",
            (string?)status["message"]);
        Assert.NotNull(await client.CoreV1.CreateNamespacedPodAsync(WithRule("a2", "Restart"), "default"));
    }

    [Fact]
    public async Task Create_RulesGateOff_DropsTheRule()
    {
        await using var cluster = await EmbeddedCluster.StartAsync(new() { NodeCount = 0, UseTls = false, ContainerRestartRules = false });
        using var client = cluster.CreateClient();
        var pod = await client.CoreV1.CreateNamespacedPodAsync(WithRule("a1"), "default", dryRun: "All");
        Assert.Null(pod.Spec.Containers[0].RestartPolicyRules);
        Assert.Null(pod.Spec.Containers[0].RestartPolicy);
    }

    [Fact]
    public async Task Delete_ScheduledPod_IsMarkedAndStays()
    {
        await Client.CoreV1.CreateNamespacedPodAsync(Pod("p", node: "n"), "default");
        var deleted = await Client.CoreV1.DeleteNamespacedPodAsync("p", "default", gracePeriodSeconds: 6);
        Assert.Equal(6, deleted.Metadata.DeletionGracePeriodSeconds);
        Assert.Equal(2, deleted.Metadata.Generation);
        await Client.CoreV1.DeleteNamespacedPodAsync("p", "default", gracePeriodSeconds: 60);
        var still = await Client.CoreV1.ReadNamespacedPodAsync("p", "default");
        Assert.Equal(deleted.Metadata.DeletionTimestamp, still.Metadata.DeletionTimestamp);
        await Client.CoreV1.DeleteNamespacedPodAsync("p", "default", gracePeriodSeconds: 0);
        await FailsAsync(HttpStatusCode.NotFound, Client.CoreV1.ReadNamespacedPodAsync("p", "default"));
    }

    [Fact]
    public async Task Delete_UnscheduledPod_IsGone()
    {
        await Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default");
        await Client.CoreV1.DeleteNamespacedPodAsync("p", "default");
        await FailsAsync(HttpStatusCode.NotFound, Client.CoreV1.ReadNamespacedPodAsync("p", "default"));
    }

    [Fact]
    public async Task Delete_OtherUid_Conflict()
    {
        var pod = await Client.CoreV1.CreateNamespacedPodAsync(Pod("p", node: "n"), "default");
        var options = new V1DeleteOptions { Preconditions = new() { Uid = "00000000-0000-0000-0000-000000000000" } };
        var status = await FailsAsync(HttpStatusCode.Conflict, Client.CoreV1.DeleteNamespacedPodAsync("p", "default", options));
        Assert.Equal(
            $"Operation cannot be fulfilled on Pod \"p\": the UID in the precondition (00000000-0000-0000-0000-000000000000) does not match the UID in record ({pod.Uid()}). The object might have been deleted and then recreated",
            (string?)status["message"]);
    }

    [Fact]
    public async Task Replace_CommandChanged_Forbidden()
    {
        var pod = await Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default");
        pod.Spec.Containers[0].Image = "localhost/busybox:2";
        pod = await Client.CoreV1.ReplaceNamespacedPodAsync(pod, "p", "default");
        Assert.Equal(2, pod.Metadata.Generation);
        pod.Spec.Containers[0].Command = ["sleep", "2"];
        var status = await FailsAsync(HttpStatusCode.UnprocessableEntity, Client.CoreV1.ReplaceNamespacedPodAsync(pod, "p", "default"));
        Assert.Equal("FieldValueForbidden", (string?)status["details"]!["causes"]![0]!["reason"]);
    }

    [Fact]
    public async Task StatusPatch_ChangesOnlyTheStatus()
    {
        await Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default");
        var patch = new V1Patch("""{"metadata":{"labels":{"x":"y"}},"status":{"phase":"Running","conditions":[{"type":"Ready","status":"True"}]}}""", V1Patch.PatchType.StrategicMergePatch);
        var pod = await Client.CoreV1.PatchNamespacedPodStatusAsync(patch, "p", "default");
        Assert.Equal("Running", pod.Status.Phase);
        Assert.Null(pod.Metadata.Labels);
        pod.Status.Phase = "Failed";
        Assert.Equal("Running", (await Client.CoreV1.ReplaceNamespacedPodAsync(pod, "p", "default")).Status.Phase);
    }

    [Fact]
    public async Task BindingThenEviction_SetNodeAndDisruptionTarget()
    {
        await Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default");
        var (bound, _) = await SendAsync("POST", "api/v1/namespaces/default/pods/p/binding", """{"target":{"kind":"Node","name":"n"}}""");
        var (evicted, body) = await SendAsync("POST", "api/v1/namespaces/default/pods/p/eviction", """{"deleteOptions":{"gracePeriodSeconds":2}}""");
        Assert.Equal((201, 201), (bound, evicted));
        Assert.Equal("Success", (string?)body["status"]);
        var pod = await Client.CoreV1.ReadNamespacedPodAsync("p", "default");
        Assert.Equal("n", pod.Spec.NodeName);
        Assert.Equal(2, pod.Metadata.DeletionGracePeriodSeconds);
        Assert.Contains(pod.Status.Conditions, c => c.Type == "DisruptionTarget" && c.Reason == "EvictionByEvictionAPI");
    }
}
