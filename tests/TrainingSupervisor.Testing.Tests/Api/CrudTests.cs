using System.Net;
using k8s;
using k8s.Models;

namespace TrainingSupervisor.Testing.Tests.Api;

public sealed class CrudTests : ApiTest
{
    [Fact]
    public async Task ConfigMap_CreateReadReplaceDelete_RoundTrips()
    {
        var created = await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "training");
        Assert.NotNull(created.Uid());
        created.Data["a"] = "2";
        var replaced = await Client.CoreV1.ReplaceNamespacedConfigMapAsync(created, "m", "training");
        Assert.NotEqual(created.ResourceVersion(), replaced.ResourceVersion());
        Assert.Equal("2", (await Client.CoreV1.ReadNamespacedConfigMapAsync("m", "training")).Data["a"]);
        await Client.CoreV1.DeleteNamespacedConfigMapAsync("m", "training");
        var status = await FailsAsync(HttpStatusCode.NotFound, Client.CoreV1.ReadNamespacedConfigMapAsync("m", "training"));
        Assert.Equal("configmaps \"m\" not found", (string?)status["message"]);
    }

    [Fact]
    public async Task Create_NameTaken_AlreadyExists()
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        var status = await FailsAsync(HttpStatusCode.Conflict, Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default"));
        Assert.Equal("AlreadyExists", (string?)status["reason"]);
    }

    [Fact]
    public async Task Replace_StaleVersion_Conflict()
    {
        var old = await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        await Client.CoreV1.ReplaceNamespacedConfigMapAsync(Map("m", "2"), "m", "default");
        var status = await FailsAsync(HttpStatusCode.Conflict, Client.CoreV1.ReplaceNamespacedConfigMapAsync(old, "m", "default"));
        Assert.Equal(
            "Operation cannot be fulfilled on configmaps \"m\": the object has been modified; please apply your changes to the latest version and try again",
            (string?)status["message"]);
    }

    [Fact]
    public async Task Replace_NothingChanged_KeepsTheVersion()
    {
        var created = await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        var replaced = await Client.CoreV1.ReplaceNamespacedConfigMapAsync(created, "m", "default");
        Assert.Equal(created.ResourceVersion(), replaced.ResourceVersion());
    }

    [Theory]
    [InlineData("{\"data\":{\"a\":null,\"b\":\"2\"}}", V1Patch.PatchType.MergePatch)]
    [InlineData("{\"data\":{\"a\":null,\"b\":\"2\"}}", V1Patch.PatchType.StrategicMergePatch)]
    [InlineData("[{\"op\":\"test\",\"path\":\"/data/a\",\"value\":\"1\"},{\"op\":\"move\",\"from\":\"/data/a\",\"path\":\"/data/b\"},{\"op\":\"replace\",\"path\":\"/data/b\",\"value\":\"2\"}]", V1Patch.PatchType.JsonPatch)]
    public async Task Patch_EachKind_Changes(string patch, V1Patch.PatchType type)
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        var patched = await Client.CoreV1.PatchNamespacedConfigMapAsync(new V1Patch(patch, type), "m", "default");
        Assert.Equal([KeyValuePair.Create("b", "2")], patched.Data);
    }

    [Fact]
    public async Task Patch_FailedTest_Unprocessable()
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        var patch = new V1Patch("""[{"op":"test","path":"/data/a","value":"9"},{"op":"remove","path":"/data/a"}]""", V1Patch.PatchType.JsonPatch);
        await FailsAsync(HttpStatusCode.UnprocessableEntity, Client.CoreV1.PatchNamespacedConfigMapAsync(patch, "m", "default"));
        Assert.Equal("1", (await Client.CoreV1.ReadNamespacedConfigMapAsync("m", "default")).Data["a"]);
    }

    [Fact]
    public async Task Apply_Yaml_CreatesThenMerges()
    {
        const string path = "api/v1/namespaces/default/configmaps/m?fieldManager=me";
        Assert.Equal(201, (await SendAsync("PATCH", path, "data:\n  a: \"1\"\n", "application/apply-patch+yaml")).Status);
        var (status, body) = await SendAsync("PATCH", path, "data:\n  b: x\n", "application/apply-patch+yaml");
        Assert.Equal(200, status);
        Assert.Equal("""{"a":"1","b":"x"}""", body["data"]!.ToJsonString());
    }

    [Fact]
    public async Task Create_DryRun_AnswersAndKeepsNothing()
    {
        var answer = await Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default", dryRun: "All");
        Assert.Equal(30, answer.Spec.TerminationGracePeriodSeconds);
        Assert.Null(answer.ResourceVersion());
        await FailsAsync(HttpStatusCode.NotFound, Client.CoreV1.ReadNamespacedPodAsync("p", "default"));
    }

    [Fact]
    public async Task Create_GenerateName_MakesNames()
    {
        var map = new V1ConfigMap { Metadata = new() { GenerateName = "m-" } };
        var created = await Client.CoreV1.CreateNamespacedConfigMapAsync(map, "default");
        Assert.Matches("^m-[a-z0-9]{5}$", created.Name());
    }

    [Fact]
    public async Task Delete_Owner_TakesDependentsWithIt()
    {
        var owner = await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("gang"), "default");
        var pod = Pod("p", node: "n");
        pod.Metadata.OwnerReferences = [new() { ApiVersion = "v1", Kind = "ConfigMap", Name = "gang", Uid = owner.Uid() }];
        await Client.CoreV1.CreateNamespacedPodAsync(pod, "default");
        var secret = new V1Secret { Metadata = new() { Name = "s", OwnerReferences = pod.Metadata.OwnerReferences } };
        await Client.CoreV1.CreateNamespacedSecretAsync(secret, "default");
        await Client.CoreV1.DeleteNamespacedConfigMapAsync("gang", "default");
        Assert.NotNull((await Client.CoreV1.ReadNamespacedPodAsync("p", "default")).Metadata.DeletionTimestamp);
        await FailsAsync(HttpStatusCode.NotFound, Client.CoreV1.ReadNamespacedSecretAsync("s", "default"));
    }

    [Fact]
    public async Task Lease_ReplaceWithoutVersion_Invalid()
    {
        var lease = new V1Lease { Metadata = new() { Name = "l" }, Spec = new() { HolderIdentity = "a", RenewTime = new DateTime(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc) } };
        var created = await Client.CoordinationV1.CreateNamespacedLeaseAsync(lease, "default");
        created.Spec.HolderIdentity = "b";
        Assert.Equal("b", (await Client.CoordinationV1.ReplaceNamespacedLeaseAsync(created, "l", "default")).Spec.HolderIdentity);
        var status = await FailsAsync(HttpStatusCode.Conflict, Client.CoordinationV1.ReplaceNamespacedLeaseAsync(created, "l", "default"));
        Assert.StartsWith("Operation cannot be fulfilled on leases.coordination.k8s.io \"l\"", (string?)status["message"], StringComparison.Ordinal);
        await FailsAsync(HttpStatusCode.UnprocessableEntity, Client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, "l", "default"));
    }
}
