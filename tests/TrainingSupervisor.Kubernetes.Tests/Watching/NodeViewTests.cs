using System.Diagnostics;
using System.Text;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Kubernetes.Tests.Faults;
using TrainingSupervisor.Observations;
using Xunit.Abstractions;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

[Collection(nameof(Alone))]
public sealed class NodeViewTests : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly TestClock _clock = new();
    private readonly List<GangInput> _told = [];
    private readonly NodeView _view;
    private readonly ITestOutputHelper _output;
    private int _renewals;

    public NodeViewTests(ITestOutputHelper output)
    {
        _output = output;
        _view = new NodeView(_told.Add, _clock);
    }

    public void Dispose() => _view.Dispose();

    [Fact]
    public void Renewed_NodeThatMatters_IsToldTogetherAndBeforeTheView()
    {
        _view.Matters("a");
        _view.Matters("b");
        Node("a");
        Node("b");
        _told.Clear();
        var at = _clock.GetUtcNow();
        Renew("a");
        _clock.Advance(Second / 2);
        Renew("b");
        Renew("b");
        Assert.Empty(_told);
        _clock.Advance(Second / 2);

        Assert.Equal(["a", "b"], _told.Take(2).Cast<NodeSeen>().Select(n => n.Node.Name));
        Assert.Equal([at, at + (Second / 2)], _told.Take(2).Cast<NodeSeen>().Select(n => n.Node.LeaseSeen));
        Assert.Equal(new LeaseViewSeen(at + (Second / 2)), Assert.Single(_told.Skip(2)));
    }

    [Fact]
    public void Renewed_NodeOfOthers_IsNotToldButKeepsTheViewFresh()
    {
        Node("other");
        _told.Clear();
        Renew("other");
        _clock.Advance(Second);

        Assert.Equal(new LeaseViewSeen(_clock.GetUtcNow() - Second), Assert.Single(_told));
    }

    [Fact]
    public void Seen_NodeOfOthers_SaysNothingOfItsLease()
    {
        Renew("other");
        Node("other");
        Assert.Null(Assert.IsType<NodeSeen>(Assert.Single(_told)).Node.LeaseSeen);
    }

    [Fact]
    public void Matters_LeaseKnown_IsToldAtOnce()
    {
        Node("a");
        Renew("a");
        var at = _clock.GetUtcNow();
        _told.Clear();
        _clock.Advance(Second / 4);
        _view.Matters("a");

        var node = Assert.IsType<NodeSeen>(Assert.Single(_told)).Node;
        Assert.Equal((at, TimeSpan.FromSeconds(40)), (node.LeaseSeen!.Value, node.LeaseDuration));
    }

    [Fact]
    public void Fresh_NoNews_StandsStill()
    {
        Node("a");
        Renew("a");
        _clock.Advance(Second);
        var told = _told.Count;
        _clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(told, _told.Count);
    }

    [Fact]
    public void Renewed_ShortLeases_AreToldSooner()
    {
        Node("a");
        _view.Matters("a");
        _told.Clear();
        _view.Renewed(new LeaseObservation("a", DateTimeOffset.UnixEpoch, TimeSpan.FromSeconds(8)));
        _clock.Advance(TimeSpan.FromMilliseconds(199));
        Assert.Empty(_told);
        _clock.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Single(_told);
    }

    [Fact]
    public void Gone_NodeComesAgain_OldRenewalIsForgotten()
    {
        _view.Matters("a");
        Node("a");
        Renew("a");
        _clock.Advance(Second);
        _view.Gone("a");
        _clock.Advance(TimeSpan.FromMinutes(5));
        _told.Clear();
        Node("a");
        Assert.Null(Assert.IsType<NodeSeen>(Assert.Single(_told)).Node.LeaseSeen);
        Renew("a");
        _clock.Advance(Second);
        Assert.Equal(_clock.GetUtcNow() - Second, _told.OfType<NodeSeen>().Last().Node.LeaseSeen);
    }

    [Fact]
    public void ForgetLeases_NothingIsLeftToGrowOld()
    {
        _view.Matters("a");
        Node("a");
        Renew("a");
        _clock.Advance(Second);
        _view.ForgetLeases();
        Assert.Null(Assert.IsType<NodeSeen>(_told[^1]).Node.LeaseSeen);
        _told.Clear();
        _clock.Advance(Second * 3);
        Assert.Empty(_told);
    }

    [Fact]
    public void ForgetNodes_ANodeThatWasNotReady_IsUnknownThen()
    {
        _view.Seen(new NodeObservation { Name = "a", Ready = null, ReadyReason = "NodeStatusUnknown", Taints = ["node.kubernetes.io/unreachable:NoExecute"] });
        _view.ForgetNodes();
        var node = Assert.IsType<NodeSeen>(_told[^1]).Node;
        Assert.Null(node.ReadyReason);
        Assert.Empty(node.Taints);
    }

    [Fact]
    public void Count_CordonedAndUnhealthyNodes_DoNotCount()
    {
        Assert.Equal((0, 0), _view.Count());
        _view.Seen(new NodeObservation { Name = "able", Ready = true, RestartsInPlace = true });
        _view.Seen(new NodeObservation { Name = "old", Ready = true });
        _view.Seen(new NodeObservation { Name = "cordoned", RestartsInPlace = true, Unschedulable = true });
        _view.Seen(new NodeObservation { Name = "control", Taints = ["node-role.kubernetes.io/control-plane:NoSchedule"] });
        _view.Seen(new NodeObservation { Name = "gpu", RestartsInPlace = true, Taints = ["nvidia.com/gpu:NoSchedule"] });
        Assert.Equal((2, 3), _view.Count());
        _view.Gone("gpu");
        Assert.Equal((1, 2), _view.Count());
    }

    [Fact]
    public void TenThousandRenewals_OneBurst_CostLittleAndWakeTheGangOnce()
    {
        const int Count = 10_000;
        var format = new JsonFormat<LeaseObservation>(static (item, name, _) => LeaseObservation.Read(item, name));
        for (var i = 0; i < Count; i++) Node($"node-{i}");
        for (var i = 0; i < 100; i++) _view.Matters($"node-{i}");
        var lines = Enumerable.Range(0, Count).Select(i => Encoding.UTF8.GetBytes(Line(i))).ToList();
        _told.Clear();
        var watch = Stopwatch.StartNew();
        var before = GC.GetAllocatedBytesForCurrentThread();
        foreach (var line in lines)
        {
            _view.Renewed(format.ReadEvent(line).Record!);
            _view.Fresh(_clock.GetUtcNow());
        }

        var bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / Count;
        var parsed = watch.Elapsed;
        _clock.Advance(Second);
        _output.WriteLine($"{Count} lease events: {parsed.TotalMilliseconds:0} ms and {bytes} bytes each; told in {(watch.Elapsed - parsed).TotalMilliseconds:0.0} ms");

        Assert.Equal(100, _told.OfType<NodeSeen>().Count());
        Assert.IsType<LeaseViewSeen>(Assert.Single(_told.Skip(100)));
        Assert.InRange(bytes, 1, 1000);
        Assert.True(parsed < TimeSpan.FromSeconds(5), $"{parsed}");

        static string Line(int i) => $$$"""
            {"type":"MODIFIED","object":{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"node-{{{i}}}","namespace":"kube-node-lease","uid":"7d3cb4ae-8a6a-4a4c-bf52-2b6c9d0e{{{i:0000}}}","resourceVersion":"{{{90000 + i}}}","creationTimestamp":"2026-01-01T00:00:00Z","ownerReferences":[{"apiVersion":"v1","kind":"Node","name":"node-{{{i}}}","uid":"x"}]},"spec":{"holderIdentity":"node-{{{i}}}","leaseDurationSeconds":40,"renewTime":"2026-01-01T01:02:03.{{{i:000000}}}Z"} } }
            """;
    }

    private void Node(string name) => _view.Seen(new NodeObservation { Name = name, Ready = true });

    private void Renew(string name)
    {
        _view.Renewed(new LeaseObservation(name, DateTimeOffset.UnixEpoch.AddSeconds(++_renewals), TimeSpan.FromSeconds(40)));
        _view.Fresh(_clock.GetUtcNow());
    }
}
