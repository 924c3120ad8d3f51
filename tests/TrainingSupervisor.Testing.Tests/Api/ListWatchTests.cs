using System.Net;
using k8s;
using k8s.Models;

namespace TrainingSupervisor.Testing.Tests.Api;

public sealed class ListWatchTests : ApiTest
{
    private const string Maps = "api/v1/namespaces/default/configmaps";

    [Fact]
    public async Task List_Pages_ShowOneMoment()
    {
        foreach (var name in new[] { "a", "b", "c", "d", "e" })
        {
            await Client.CoreV1.CreateNamespacedConfigMapAsync(Map(name), "default");
        }

        var first = await Client.CoreV1.ListNamespacedConfigMapAsync("default", limit: 2);
        Assert.Equal(3, first.Metadata.RemainingItemCount);
        await Client.CoreV1.DeleteNamespacedConfigMapAsync("d", "default");
        var second = await Client.CoreV1.ListNamespacedConfigMapAsync("default", limit: 2, continueParameter: first.Metadata.ContinueProperty);
        var third = await Client.CoreV1.ListNamespacedConfigMapAsync("default", limit: 2, continueParameter: second.Metadata.ContinueProperty);
        Assert.Equal(["a", "b", "c", "d", "e"], new[] { first, second, third }.SelectMany(l => l.Items).Select(i => i.Name()));
        Assert.Equal(first.ResourceVersion(), third.ResourceVersion());
        Assert.Null(third.Metadata.ContinueProperty);
        Assert.Null(first.Items[0].Kind);
    }

    [Fact]
    public async Task List_ExpiredContinue_GoneWithATokenForTheRest()
    {
        foreach (var name in new[] { "a", "b", "c" })
        {
            await Client.CoreV1.CreateNamespacedConfigMapAsync(Map(name), "default");
        }

        var first = await Client.CoreV1.ListNamespacedConfigMapAsync("default", limit: 1);
        Cluster.Api.CompactHistory();
        var status = await FailsAsync(HttpStatusCode.Gone,
            Client.CoreV1.ListNamespacedConfigMapAsync("default", limit: 1, continueParameter: first.Metadata.ContinueProperty));
        Assert.Equal("Expired", (string?)status["reason"]);
        var rest = await Client.CoreV1.ListNamespacedConfigMapAsync("default", continueParameter: (string?)status["metadata"]!["continue"]);
        Assert.Equal(["b", "c"], rest.Items.Select(i => i.Name()));
    }

    [Theory]
    [InlineData("app=x", null, "a,b")]
    [InlineData("app==x,tier in (1, 2)", null, "a,b")]
    [InlineData("tier notin (1)", null, "b,c")]
    [InlineData("!app", null, "c")]
    [InlineData("tier", null, "a,b")]
    [InlineData("app!=x", null, "c")]
    [InlineData(null, "metadata.name=b", "b")]
    [InlineData(null, "spec.nodeName=n,status.phase!=Failed", "c")]
    public async Task List_Selectors_Filter(string? labels, string? fields, string expected)
    {
        foreach (var (name, tier) in new[] { ("a", "1"), ("b", "2"), ("c", "") })
        {
            var pod = Pod(name, node: name == "c" ? "n" : null);
            pod.Metadata.Labels = tier.Length > 0 ? new Dictionary<string, string> { ["app"] = "x", ["tier"] = tier } : null;
            await Client.CoreV1.CreateNamespacedPodAsync(pod, "default");
        }

        var list = await Client.CoreV1.ListPodForAllNamespacesAsync(labelSelector: labels, fieldSelector: fields);
        Assert.Equal(expected, string.Join(',', list.Items.Select(p => p.Name())));
    }

    [Fact]
    public async Task Watch_FromVersion_SendsChangesAndBookmarks()
    {
        var list = await Client.CoreV1.ListNamespacedConfigMapAsync("default");
        var created = await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        using var watch = await WatchAsync($"{Maps}?watch=1&allowWatchBookmarks=true&resourceVersion={list.ResourceVersion()}");
        var added = await NextAsync(watch);
        Assert.Equal("ADDED", added!.Value.Type);
        Assert.Equal(created.ResourceVersion(), added.Value.Object.GetProperty("metadata").GetProperty("resourceVersion").GetString());
        var bookmark = await NextAsync(watch);
        Assert.Equal("BOOKMARK", bookmark!.Value.Type);
        Assert.Equal(created.ResourceVersion(), bookmark.Value.Object.GetProperty("metadata").GetProperty("resourceVersion").GetString());
    }

    [Fact]
    public async Task Watch_LabelSelector_TurnsLeavingIntoDeleted()
    {
        var map = Map("m");
        map.Metadata.Labels = new Dictionary<string, string> { ["x"] = "1" };
        map = await Client.CoreV1.CreateNamespacedConfigMapAsync(map, "default");
        using var watch = await WatchAsync($"{Maps}?watch=1&labelSelector=x&resourceVersion={map.ResourceVersion()}");
        map.Metadata.Labels = null;
        map = await Client.CoreV1.ReplaceNamespacedConfigMapAsync(map, "m", "default");
        Assert.Equal("DELETED", (await NextAsync(watch))!.Value.Type);
        map.Metadata.Labels = new Dictionary<string, string> { ["x"] = "2" };
        await Client.CoreV1.ReplaceNamespacedConfigMapAsync(map, "m", "default");
        Assert.Equal("ADDED", (await NextAsync(watch))!.Value.Type);
    }

    [Fact]
    public async Task Watch_TooOld_ErrorEvent410()
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        Cluster.Api.CompactHistory();
        using var watch = await WatchAsync($"{Maps}?watch=1&resourceVersion=1");
        var error = await NextAsync(watch);
        Assert.Equal("ERROR", error!.Value.Type);
        Assert.Equal(410, error.Value.Object.GetProperty("code").GetInt32());
        Assert.Null(await NextAsync(watch));
    }

    [Fact]
    public async Task Watch_InitialEvents_EndWithABookmark()
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        using var watch = await WatchAsync($"{Maps}?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan");
        Assert.Equal("ADDED", (await NextAsync(watch))!.Value.Type);
        var end = await NextAsync(watch);
        Assert.Equal("true", end!.Value.Object.GetProperty("metadata").GetProperty("annotations").GetProperty("k8s.io/initial-events-end").GetString());
    }

    [Fact]
    public async Task Watch_TimeoutSeconds_EndsCleanly()
    {
        using var watch = await WatchAsync($"{Maps}?watch=1&timeoutSeconds=1");
        Assert.Null(await NextAsync(watch));
    }

    [Fact]
    public async Task Watch_MalformedVersion_InternalErrorWithoutReason()
    {
        var (status, body) = await SendAsync("GET", $"{Maps}?watch=1&resourceVersion=abc");
        Assert.Equal(500, status);
        Assert.Null(body["reason"]);
        Assert.Equal("resourceVersion: Invalid value: \"abc\": strconv.ParseUint: parsing \"abc\": invalid syntax", (string?)body["message"]);
    }

    [Fact]
    public async Task Watch_RealClient_SeesEvents()
    {
        await Client.CoreV1.CreateNamespacedConfigMapAsync(Map("m"), "default");
        using var stop = new CancellationTokenSource(Patience);
        await foreach (var (type, map) in Client.CoreV1.WatchListNamespacedConfigMapAsync("default", cancellationToken: stop.Token))
        {
            Assert.Equal((WatchEventType.Added, "m"), (type, map.Name()));
            break;
        }
    }
}
