using System.Net;
using k8s;
using k8s.Models;

namespace TrainingSupervisor.Testing.Tests.Api;

public sealed class AccessAndFaultTests : ApiTest
{
    private const string Watch = "api/v1/namespaces/default/configmaps?watch=1&resourceVersion=";

    [Fact]
    public async Task UnknownToken_Unauthorized()
    {
        using var stranger = Cluster.CreateClient("nobody");
        var status = await FailsAsync(HttpStatusCode.Unauthorized, stranger.CoreV1.ListNamespacedPodAsync("default"));
        Assert.Equal("Unauthorized", (string?)status["message"]);
    }

    [Fact]
    public async Task RestrictedToken_ForbiddenInKubernetesWords()
    {
        var token = Cluster.CreateToken("x", new AccessRule(["get", "list"], ["pods"]) { Namespaces = ["y"] });
        using var limited = Cluster.CreateClient(token);
        Assert.Empty((await limited.CoreV1.ListNamespacedPodAsync("y")).Items);
        var status = await FailsAsync(HttpStatusCode.Forbidden, limited.CoreV1.CreateNamespacedPodAsync(Pod("p"), "y"));
        Assert.Equal("pods is forbidden: User \"x\" cannot create resource \"pods\" in API group \"\" in the namespace \"y\"", (string?)status["message"]);
        await FailsAsync(HttpStatusCode.Forbidden, limited.CoreV1.ListPodForAllNamespacesAsync());
    }

    [Fact]
    public async Task HealthAndVersion_NeedNoToken()
    {
        Http.DefaultRequestHeaders.Authorization = null;
        Assert.Equal("ok", await Http.GetStringAsync(new Uri("livez", UriKind.Relative)));
        Assert.Equal("v1.36.2", (await Client.Version.GetCodeAsync()).GitVersion);
    }

    [Theory]
    [InlineData("PUT", "api/v1/namespaces/default/pods", "{}", "application/json", 405)]
    [InlineData("PATCH", "api/v1/namespaces/default/pods/p", "{}", "application/foo", 415)]
    [InlineData("POST", "api/v1/namespaces/default/pods", "{bad json", "application/json", 400)]
    [InlineData("GET", "api/v1/namespaces/default/pods?fieldSelector=spec.foo%3D1", null, "", 400)]
    [InlineData("GET", "api/v1/namespaces/default/pods?limit=abc", null, "", 400)]
    public async Task BadRequest_HasItsStatus(string method, string path, string? body, string media, int expected)
    {
        var (status, answer) = await SendAsync(method, path, body, media);
        Assert.Equal(expected, status);
        Assert.Equal(expected, (int?)answer["code"]);
    }

    [Fact]
    public async Task FailRequests_OnlyMatchingAndCounted()
    {
        Cluster.Api.FailRequests(429, r => r.Verb == "create", count: 1, retryAfter: TimeSpan.FromSeconds(7));
        await Client.CoreV1.ListNamespacedConfigMapAsync("default");
        using var body = new StringContent("""{"metadata":{"name":"m"}}""");
        body.Headers.ContentType = new("application/json");
        using var refused = await Http.PostAsync(new Uri("api/v1/namespaces/default/configmaps", UriKind.Relative), body);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(7), refused.Headers.RetryAfter!.Delta);
        Assert.Equal("m", (await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default")).Name());
    }

    [Fact]
    public async Task AbortRequests_AfterActing_LosesOnlyTheAnswer()
    {
        Cluster.Api.AbortRequests(r => r.IsWrite, count: 1, afterActing: true);
        await Assert.ThrowsAsync<HttpRequestException>(() => Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default"));
        Assert.Equal("1", (await Client.CoreV1.ReadNamespacedConfigMapAsync("m", "default")).Data["a"]);
    }

    [Fact]
    public async Task DropWatches_EndsCleanly_AbortBreaks()
    {
        using var dropped = await WatchAsync($"{Watch}{Cluster.Store.ResourceVersion}");
        Assert.Equal(1, Cluster.Api.DropWatches());
        Assert.Null(await NextAsync(dropped));
        using var aborted = await WatchAsync($"{Watch}{Cluster.Store.ResourceVersion}");
        Assert.Equal(1, Cluster.Api.AbortWatches());
        await Assert.ThrowsAnyAsync<IOException>(() => NextAsync(aborted));
    }

    [Fact]
    public async Task FreezeWatches_HoldsEventsUntilReleased()
    {
        using var watch = await WatchAsync($"{Watch}{Cluster.Store.ResourceVersion}");
        var frozen = Cluster.Api.FreezeWatches();
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        var next = NextAsync(watch);
        Assert.NotSame(next, await Task.WhenAny(next, Task.Delay(150)));
        frozen.Dispose();
        Assert.Equal("ADDED", (await next)!.Value.Type);
    }

    [Fact]
    public async Task DelayWrites_DelaysOnlyWrites()
    {
        using var delay = Cluster.Api.DelayWrites(TimeSpan.FromMinutes(10));
        var write = Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        Assert.Empty((await Client.CoreV1.ListNamespacedConfigMapAsync("default")).Items);
        while (Cluster.Api.HeldRequests == 0)
        {
            await Task.Yield();
        }

        Assert.False(write.IsCompleted);
        Cluster.Api.AbortConnections();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => write.WaitAsync(Patience));
    }

    [Fact]
    public async Task RestartServer_KeepsPortAndObjects_EndsWatchesCleanly()
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        using var watch = await WatchAsync($"{Watch}{Cluster.Store.ResourceVersion}");
        var address = Cluster.Address;
        await Cluster.Api.StopServerAsync();
        Assert.Null(await NextAsync(watch));
        await Assert.ThrowsAsync<HttpRequestException>(() => Client.CoreV1.ListNamespacedConfigMapAsync("default"));
        await Cluster.Api.StartServerAsync();
        Assert.Equal(address, Cluster.Address);
        Assert.Single((await Client.CoreV1.ListNamespacedConfigMapAsync("default")).Items);
    }

    [Fact]
    public async Task StopServer_WithARequestHeld_BreaksIt()
    {
        using var delay = Cluster.Api.DelayWrites(TimeSpan.FromMinutes(10));
        var write = Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        while (Cluster.Api.HeldRequests == 0)
        {
            await Task.Yield();
        }

        await Cluster.Api.StopServerAsync().WaitAsync(Patience);
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => write.WaitAsync(Patience));
    }

    [Fact]
    public async Task Requests_CountsWhatClientsDid()
    {
        Cluster.Requests.Reset();
        await Client.CoreV1.CreateNamespacedPodAsync(Pod("p"), "default");
        await Client.CoreV1.ListNamespacedPodAsync("default");
        await FailsAsync(HttpStatusCode.NotFound, Client.CoreV1.ReadNamespacedPodAsync("q", "default"));
        Assert.Equal(1, Cluster.Requests.Count(r => r.IsWrite));
        Assert.Equal([("create", 201), ("list", 200), ("get", 404)], Cluster.Requests.Snapshot().Select(r => (r.Verb, r.Status)));
        Assert.Equal("q", Cluster.Requests.Snapshot()[2].Name);
    }

    [Fact]
    public async Task WriteKubeConfig_ServesTheRealClient()
    {
        var path = Path.Combine(Cluster.DataDirectory, "kubeconfig");
        Cluster.WriteKubeConfig(path);
        using var client = new Kubernetes(await KubernetesClientConfiguration.BuildConfigFromConfigFileAsync(new FileInfo(path)));
        Assert.Contains((await client.CoreV1.ListNamespaceAsync()).Items, n => n.Name() == "default");
    }
}
