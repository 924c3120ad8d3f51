using System.Text;
using TrainingSupervisor.Observations;
using Xunit.Abstractions;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

[Collection(nameof(Alone))]
public sealed class NodeReaderTests(ITestOutputHelper output)
{
    [Fact]
    public void Read_Node_KeepsLabelsConditionsAndWhatIsReported()
    {
        var node = Read(Json());
        Assert.Equal(("node-1", true, "KubeletReady", true), (node.Name, node.Ready!.Value, node.ReadyReason!, node.Unschedulable));
        Assert.Equal(new Dictionary<string, string> { ["kubernetes.io/hostname"] = "node-1", ["topology.kubernetes.io/zone"] = "a" }, node.Labels);
        Assert.Equal([new NodeCondition("GpuUnhealthy", "Xid79", "GPU 3 has fallen off the bus")], node.Conditions.Where(c => c.Status));
        Assert.Equal("NodeUnhealthy: row remapping failed", node.Reported);
        Assert.Equal(["spot:NoSchedule"], node.Taints.AsEnumerable());
        Assert.False(node.Deleted);
    }

    [Fact]
    public void Read_NothingWrong_HasNoTrueConditionAndNoReport()
    {
        var node = Read("""{"metadata":{"name":"node-1"},"status":{"conditions":[{"type":"Ready","status":"True"},{"type":"DiskPressure","status":"False"},{"type":"Odd","status":"Unknown"}]}}""");
        Assert.Equal((true, null, 0), (node.Ready, node.Reported, node.Labels.Count));
        // Some makers' conditions are good when true, so False is kept; Unknown says nothing.
        Assert.Equal([("DiskPressure", false)], node.Conditions.Select(c => (c.Type, c.Status)));
    }

    [Fact]
    public void Same_ConditionWithANewHeartbeatTime_IsTheSame() =>
        Assert.True(NodeReader.Same(Read(Json()), Read(Json().Replace("2026-01-02T03:04:05Z", "2026-01-02T03:09:05Z", StringComparison.Ordinal))));

    [Theory]
    [InlineData("GpuUnhealthy", "OtherProblem")]
    [InlineData("Xid79", "Xid48")]
    [InlineData("off the bus", "into the sea")]
    [InlineData("row remapping failed", "row remapping done")]
    [InlineData("zone\":\"a\"", "zone\":\"b\"")]
    [InlineData("\"topology.kubernetes.io/zone\":\"a\"", "\"topology.kubernetes.io/rack\":\"a\"")]
    [InlineData(",\"topology.kubernetes.io/zone\":\"a\"", "")]
    [InlineData("spot", "maintenance")]
    [InlineData("\"type\":\"DiskPressure\",\"status\":\"False\"", "\"type\":\"DiskPressure\",\"status\":\"True\"")]
    public void Same_SomethingThatDecisionsNeed_IsNotTheSame(string text, string other)
    {
        Assert.Contains(text, Json(), StringComparison.Ordinal);
        var before = Read(Json());
        var after = Read(Json().Replace(text, other, StringComparison.Ordinal), before);
        Assert.False(NodeReader.Same(before, after));
        Assert.False(NodeReader.Same(after, before));
    }

    [Fact]
    public void Read_LabelsAsBefore_AreNotMadeAgain()
    {
        var before = Read(Json());
        Assert.Same(before.Labels, Read(Json(), before).Labels);
        var relabelled = Read(Json().Replace("zone\":\"a\"", "zone\":\"b\"", StringComparison.Ordinal), before);
        Assert.Equal("b", relabelled.Labels["topology.kubernetes.io/zone"]);
        Assert.Empty(Read("""{"metadata":{"name":"node-1","labels":{}}}""", before).Labels);
        Assert.Empty(Read("""{"metadata":{"name":"node-1"}}""", before).Labels);
    }

    [Fact]
    public void Read_NodeWithThirtyLabelsThatHasNotChanged_AllocatesLittle()
    {
        var labels = string.Join(",", Enumerable.Range(0, 30).Select(i => $"\"example.com/a-label-of-usual-length-{i}\":\"value-{i}\""));
        var line = Json().Replace("\"topology.kubernetes.io/zone\":\"a\"", labels, StringComparison.Ordinal);
        var before = Read(line);
        Assert.Equal(31, before.Labels.Count);
        var format = Format(before);
        var bytes = Encoding.UTF8.GetBytes($$"""{"type":"MODIFIED","object":{{line}}}""");
        format.ReadEvent(bytes);
        var start = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) format.ReadEvent(bytes);
        var each = (GC.GetAllocatedBytesForCurrentThread() - start) / 1000;
        output.WriteLine($"{each} bytes for an event of {bytes.Length}");
        Assert.InRange(each, 1, 2048);
    }

    private static NodeObservation Read(string json, NodeObservation? before = null) =>
        Format(before).ReadEvent(Encoding.UTF8.GetBytes($$"""{"type":"ADDED","object":{{json}}}""")).Record!;

    private static JsonFormat<NodeObservation> Format(NodeObservation? before) => new((node, name, _) => NodeReader.Read(node, name, before));

    private static string Json() => """
        {"metadata":{"name":"node-1","uid":"u","resourceVersion":"5","labels":{"kubernetes.io/hostname":"node-1","topology.kubernetes.io/zone":"a"},
        "annotations":{"node.alpha.kubernetes.io/ttl":"0","training-supervisor.dev/failure":"NodeUnhealthy: row remapping failed"}},
        "spec":{"unschedulable":true,"taints":[{"key":"spot","effect":"NoSchedule"}]},
        "status":{"conditions":[{"type":"DiskPressure","status":"False","lastHeartbeatTime":"2026-01-02T03:04:05Z"},
        {"type":"GpuUnhealthy","status":"True","reason":"Xid79","message":"GPU 3 has fallen off the bus","lastHeartbeatTime":"2026-01-02T03:04:05Z","lastTransitionTime":"2026-01-01T00:00:00Z"},
        {"type":"Ready","status":"True","reason":"KubeletReady","lastHeartbeatTime":"2026-01-02T03:04:05Z"}]}}
        """.ReplaceLineEndings("");
}
