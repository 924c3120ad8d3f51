using System.Text.Json.Nodes;
using Microsoft.Extensions.Time.Testing;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Api;

public sealed class ObjectStoreTests
{
    private readonly ObjectStore _store = new(new FakeTimeProvider(), historySize: 4);

    private JsonObject Create(string name) =>
        _store.Create(ResourceType.ConfigMaps, new() { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = "default" } });

    [Fact]
    public async Task Watch_SubscribedBeforeEnumeration_MissesNothing()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        Create("before");
        var from = _store.ResourceVersion;
        var watch = _store.WatchAsync(ResourceType.ConfigMaps, from, stop.Token);
        Create("after");
        _store.Compact();
        await foreach (var change in watch)
        {
            Assert.Equal((WatchType.Added, "after", from + 1), (change.Type, change.Object.Name(), change.ResourceVersion));
            break;
        }
    }

    [Fact]
    public void Watch_BehindTheWindow_Expired()
    {
        for (var i = 0; i < 6; i++)
        {
            Create($"m{i}");
        }

        using (_store.Subscribe(ResourceType.ConfigMaps, 2))
        {
            Assert.Equal(410, Assert.Throws<ApiError>(() => _store.Subscribe(ResourceType.ConfigMaps, 1)).Code);
        }
    }

    [Fact]
    public void Update_NoChange_PublishesNothing()
    {
        var created = Create("m");
        var before = _store.ResourceVersion;
        Assert.Same(created, _store.Update(ResourceType.ConfigMaps, "default", "m", o => o));
        Assert.Equal(before, _store.ResourceVersion);
    }

    [Fact]
    public void Remove_OtherUid_Stays()
    {
        Create("m");
        Assert.Null(_store.Remove(ResourceType.ConfigMaps, "default", "m", uid: "other"));
        Assert.NotNull(_store.Remove(ResourceType.ConfigMaps, "default", "m"));
        Assert.Null(_store.Remove(ResourceType.ConfigMaps, "default", "m"));
    }

    [Fact]
    public async Task Create_FromManyThreads_VersionsAreUniqueAndOrdered()
    {
        using var subscription = _store.Subscribe(ResourceType.ConfigMaps, 0);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(t => Task.Run(() =>
        {
            for (var i = 0; i < 50; i++)
            {
                Create($"m-{t}-{i}");
            }
        })));
        var seen = new List<long>();
        while (subscription.Reader.TryRead(out var change))
        {
            seen.Add(change.ResourceVersion);
        }

        Assert.Equal(Enumerable.Range(1, 400).Select(i => (long)i), seen);
    }
}
