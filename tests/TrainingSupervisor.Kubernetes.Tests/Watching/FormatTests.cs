using System.Text;
using System.Text.Json;
using TrainingSupervisor.Observations;
using Xunit.Abstractions;

namespace TrainingSupervisor.Kubernetes.Tests.Watching;

[Collection(nameof(Alone))]
public sealed class FormatTests(ITestOutputHelper output)
{
    private const string Owner = "owner-uid";

    private static readonly JsonFormat<PodObservation> Pods = new(static (pod, name, uid) => PodReader.Read(pod, name, uid, Owner));

    [Fact]
    public async Task FrameReader_LinesCutAnywhere_ComeWhole()
    {
        var random = new Random(7);
        var lines = Enumerable.Range(0, 300).Select(i => new string((char)('a' + (i % 26)), random.Next(0, i % 50 == 0 ? 200_000 : 300))).ToList();
        var bytes = Encoding.ASCII.GetBytes(string.Join('\n', lines) + "\nrest");
        using var reader = new FrameReader(new Crumbs(bytes, random), new JsonFormat<PodObservation>((_, _, _) => null).FrameLength);
        var read = new List<string>();
        while (await reader.FillAsync(default))
        {
            while (reader.TryRead(out var frame)) read.Add(Encoding.ASCII.GetString(frame.Span).TrimEnd('\n'));
        }

        Assert.Equal(lines, read);
        Assert.True(reader.HasRest);
    }

    [Fact]
    public void ReadEvent_RunningPod_KeepsWhatDecisionsNeed()
    {
        var e = Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED", PodJson())));

        Assert.Equal((WatchEventKind.Changed, 123ul, "llm-trainer-0-1", "pod-uid"), (e.Kind, e.Version, e.Name, e.Uid));
        var pod = e.Record!;
        Assert.Equal(("trainer", new WorkerId("trainer", 0), 3), (pod.Role, pod.Worker!.Value, pod.Incarnation));
        Assert.Equal(("node-1", "10.0.0.1", PodPhase.Running, true, true), (pod.Node, pod.Address, pod.Phase, pod.Ready, pod.AllContainersRestarting));
        Assert.Equal(("EvictionByEvictionAPI", "Grüße\n"), (pod.DisruptionReason, pod.DisruptionMessage));
        Assert.Equal(new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero), pod.Created);
        Assert.True(pod is { RestartsInPlace: true, Deleting: false, UnschedulableReason: null });
        Assert.Equal(
            [
                new ContainerObservation { Name = "init", Initial = true, State = ContainerState.Terminated, Reason = "Completed" },
                new ContainerObservation { Name = "worker", State = ContainerState.Waiting, Reason = "RestartingAllContainers", RestartCount = 2, LastReason = "Error", LastExitCode = 88 },
            ],
            pod.Containers.AsEnumerable());
    }

    [Fact]
    public void ReadEvent_NoRule_SaysThatThePodCannotRestartInPlace() =>
        Assert.False(Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED", PodJson().Replace("RestartAllContainers\"", "Restart\"", StringComparison.Ordinal)))).Record!.RestartsInPlace);

    [Fact]
    public void ReadEvent_AnnotationOfAHealthSystem_IsKeptAndIsNews()
    {
        var plain = Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED", PodJson()))).Record!;
        var annotated = Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED",
            PodJson().Replace("\"labels\":", "\"annotations\":{\"training-supervisor.dev/failure\":\"Hang: stuck\"},\"labels\":", StringComparison.Ordinal)))).Record!;
        Assert.Equal((null, "Hang: stuck"), (plain.Reported, annotated.Reported));
        Assert.False(PodReader.Same(plain, annotated));
    }

    [Fact]
    public void ReadEvent_PodOfAnotherRecord_IsNotOurs() =>
        Assert.Null(Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("MODIFIED", PodJson().Replace(Owner, "older-uid", StringComparison.Ordinal)))).Record);

    [Fact]
    public void ReadEvent_FieldsOfTheWrongType_AreNothing()
    {
        var pod = Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED",
            """{"metadata":{"name":"p","uid":"u","resourceVersion":7,"creationTimestamp":"soon","labels":[],"ownerReferences":[{"uid":"owner-uid"}]},"spec":[],"status":{"phase":4,"conditions":{},"containerStatuses":[3]}}"""))).Record!;
        Assert.Equal((PodPhase.Pending, null, default), (pod.Phase, pod.Node, pod.Created));
    }

    [Theory]
    [InlineData("""{"type":"ADDED","object":{"metadata":{}}}""")]
    [InlineData("""{"type":"ODD","object":{"metadata":{"name":"x"}}}""")]
    [InlineData("""{"type":"ADDED","obj""")]
    [InlineData("[]")]
    public void ReadEvent_NoEvent_Throws(string line) => Assert.ThrowsAny<JsonException>(() => Pods.ReadEvent(Encoding.UTF8.GetBytes(line)));

    [Fact]
    public void ReadEvent_RepeatedNames_AreOneString()
    {
        var a = Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED", PodJson()))).Record!;
        var b = Pods.ReadEvent(Encoding.UTF8.GetBytes(Line("ADDED", PodJson()))).Record!;
        Assert.Same(a.Node, b.Node);
        Assert.Same(a.Containers[1].Name, b.Containers[1].Name);
        Assert.Same(a.Containers[1].Reason, b.Containers[1].Reason);
        Assert.True(PodReader.Same(a, b));
        Assert.False(PodReader.Same(a, b with { Ready = false }));
    }

    [Fact]
    public void ReadEvent_NineKilobytes_AllocatesLittle()
    {
        var padding = string.Join(",", Enumerable.Range(0, 90).Select(i => $$"""{"name":"VARIABLE_{{i}}","value":"{{new string('v', 60)}}"}"""));
        var line = Encoding.UTF8.GetBytes(Line("MODIFIED", PodJson().Replace("\"env\":[]", $"\"env\":[{padding}]", StringComparison.Ordinal)));
        Assert.True(line.Length > 9000);
        Pods.ReadEvent(line);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1000; i++) Pods.ReadEvent(line);
        var bytes = (GC.GetAllocatedBytesForCurrentThread() - before) / 1000;
        output.WriteLine($"{line.Length} bytes of event: {bytes} bytes allocated, {watch.Elapsed.TotalMicroseconds / 1000:0.0} µs");
        Assert.InRange(bytes, 1, 2048);
    }

    private static string Line(string type, string pod) => $$"""{"type":"{{type}}","object":{{pod}}}""";

    private static string PodJson() => """
        {"kind":"Pod","apiVersion":"v1","metadata":{"name":"llm-trainer-0-1","uid":"pod-uid","resourceVersion":"123","creationTimestamp":"2026-01-02T03:04:05Z",
        "labels":{"training-supervisor.dev/gang":"llm","training-supervisor.dev/role":"trainer","training-supervisor.dev/worker":"trainer-0","training-supervisor.dev/incarnation":"3"},
        "ownerReferences":[{"kind":"ConfigMap","name":"gang-llm","uid":"owner-uid"}]},
        "spec":{"nodeName":"node-1","containers":[{"name":"worker","env":[],"restartPolicyRules":[{"action":"RestartAllContainers","exitCodes":{"operator":"In","values":[88]}}]}]},
        "status":{"phase":"Running","podIP":"10.0.0.1","conditions":[{"type":"PodScheduled","status":"True"},{"type":"Ready","status":"True"},{"type":"AllContainersRestarting","status":"True"},
        {"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI","message":"Gr\u00fc\u00dfe\n"}],
        "initContainerStatuses":[{"name":"init","state":{"terminated":{"exitCode":0,"reason":"Completed"}}}],
        "containerStatuses":[{"name":"worker","restartCount":2,"state":{"waiting":{"reason":"RestartingAllContainers"}},"lastState":{"terminated":{"exitCode":88,"reason":"Error"}}}]}}
        """.ReplaceLineEndings("");

    /// <summary>A stream that gives a few bytes at a time.</summary>
    private sealed class Crumbs(byte[] bytes, Random random) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, random.Next(1, 3000))], cancellationToken);
    }
}
