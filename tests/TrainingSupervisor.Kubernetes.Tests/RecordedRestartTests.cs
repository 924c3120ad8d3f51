using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Nodes;
using TrainingSupervisor.Engine;
using TrainingSupervisor.Observations;

namespace TrainingSupervisor.Kubernetes.Tests;

/// <summary>
/// What a real kubelet showed of restarts in place, given to the machine as the watch would. The recordings are those of the conformance
/// tests. A gang of two: worker 0 lives in the recorded Pod, worker 1 in another.
/// </summary>
public sealed class RecordedRestartTests
{
    private static readonly string Folder = Path.Combine(Path.GetDirectoryName(Here())!, "../TrainingSupervisor.Testing.Tests/Recordings/Pods");

    [Theory]
    [InlineData("ra-signal9", FailureKind.Killed, 137)]
    [InlineData("ra-oom", FailureKind.OutOfMemory, 137)]
    [InlineData("ra-liveness", FailureKind.Killed, 137)]
    public void Restart_OrderedByNobody_CauseIsTheExitBeforeThe137s(string recording, FailureKind kind, int exitCode)
    {
        var gang = Gang.Running();
        gang.Replay(Read(recording), agentReturns: true);
        var cause = gang.Cause!;

        Assert.Equal((kind, exitCode, new WorkerId("w", 0)), (cause.Kind, cause.ExitCode!.Value, cause.Worker!.Value));
        Assert.Contains("container main", cause.Evidence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("ra-signal9")]
    [InlineData("ra-oom")]
    [InlineData("restart-all")]
    public void Restart_MomentOfTheCauseMissed_CauseIsUnknown(string recording)
    {
        var gang = Gang.Running();
        gang.Replay(Read(recording).Where(p => !p.AllContainersRestarting).ToList(), agentReturns: true);
        var cause = gang.Cause!;

        Assert.Equal((FailureKind.UnorderedRestart, (int?)null), (cause.Kind, cause.ExitCode));
        Assert.Contains("cause unknown", cause.Evidence, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("restart-all")]
    [InlineData("restart-all-sidecar")]
    [InlineData("restart-all-x4")]
    [InlineData("ra-single")]
    [InlineData("ra-fast-peers")]
    [InlineData("ra-ignore-term")]
    [InlineData("ra-probe-prestop")]
    [InlineData("ra-pod-always")]
    [InlineData("ra-kubelet-restart")]
    [InlineData("ra-backoff")]
    public void Restart_OrderedByUs_IsNoFailureThoughThePhaseGoesBack(string recording)
    {
        var states = Read(recording);
        var gang = Gang.Running();
        gang.OtherFails();
        gang.Replay(states, agentReturns: false);

        Assert.Contains(states, s => s.AllContainersRestarting);
        Assert.Equal([new WorkerId("w", 1)], gang.Failures.Select(f => f.Worker!.Value).Distinct());
        Assert.All(gang.State.Plan!.Steps, s => Assert.Null(s.OldPod));
    }

    [Fact]
    public void Restart_NewsThatComesLate_IsNoFailureOfTheWorkerThatRuns()
    {
        var gang = Gang.Running();
        gang.ReplayStatusOnly(Read("restart-all"));

        Assert.Empty(gang.Failures);
    }

    [Theory]
    [InlineData("ra-nomatch", FailureKind.ApplicationError)]
    [InlineData("signal9-never", FailureKind.Killed)]
    [InlineData("oomkilled-never", FailureKind.OutOfMemory)]
    [InlineData("start-error-never", FailureKind.StartError)]
    [InlineData("image-never-present", FailureKind.ImageUnavailable)]
    [InlineData("eviction", FailureKind.Evicted)]
    [InlineData("preempted", FailureKind.Preempted)]
    [InlineData("delete-grace", FailureKind.PodDeleted)]
    [InlineData("podgc-node-deleted", FailureKind.Evicted)]
    [InlineData("crash-never-exit1", FailureKind.ApplicationError)]
    [InlineData("oomkilled-child", FailureKind.OutOfMemory)]
    [InlineData("evict-emptydir-limit-137", FailureKind.Evicted)]
    [InlineData("active-deadline", FailureKind.Evicted)]
    [InlineData("kubelet-gateoff-running-pod", FailureKind.Evicted)]
    [InlineData("kubelet-gateoff-nodename", FailureKind.Evicted)]
    [InlineData("liveness-restart", FailureKind.UnorderedRestart, true)]
    public void PodEnds_AsRecorded_IsClassified(string recording, FailureKind kind, bool agentReturns = false)
    {
        var gang = Gang.Running();
        gang.Replay(Read(recording, fromTheStart: true), agentReturns);

        var failure = gang.Failures[0];
        Assert.Equal((kind, new WorkerId("w", 0), Gang.Pod, "node-1"), (failure.Kind, failure.Worker!.Value, failure.Pod, failure.Node));
        Assert.NotEmpty(failure.Evidence);
        Assert.NotEmpty(failure.SeenBy);
    }

    [Theory]
    [InlineData("oomkilled-never", "container main: OOMKilled, exit code 137; memory limit 32Mi of container main")]
    [InlineData("oomkilled-child", "container main: OOMKilled, exit code 137; memory limit 32Mi of container main")]
    [InlineData("signal9-never", "container main: ended by signal 9 (SIGKILL)")]
    [InlineData("crash-never-exit1", "container main: exit code 1")]
    [InlineData("evict-emptydir-limit-137", "Evicted: Usage of EmptyDir volume \"shared\" exceeds the limit \"10Mi\". ")]
    [InlineData("active-deadline", "DeadlineExceeded: Pod was active on the node longer than the specified deadline")]
    [InlineData("kubelet-gateoff-running-pod", "PodFeatureUnsupported: Pod was rejected: Pod requires node features that are not available: RestartAllContainersOnContainerExits")]
    [InlineData("podgc-node-deleted", "DeletionByPodGC: PodGC: node no longer exists")]
    public void PodEnds_AsRecorded_IsToldInKubernetesWords(string recording, string evidence)
    {
        var gang = Gang.Running();
        gang.Replay(Read(recording, fromTheStart: true), agentReturns: false);

        Assert.Equal(evidence, gang.Failures[0].Evidence);
    }

    [Theory]
    [InlineData("pod-succeeded")]
    [InlineData("pod-succeeded-init-sidecar")]
    public void PodEnds_WellAndAsRecorded_IsNoFailure(string recording)
    {
        var gang = Gang.Running();
        gang.Replay(Read(recording, fromTheStart: true), agentReturns: false);

        Assert.Empty(gang.Failures);
    }

    public static TheoryData<string> Recordings => [.. Directory.EnumerateFiles(Folder, "*.jsonl").Select(f => Path.GetFileNameWithoutExtension(f)!).Order(StringComparer.Ordinal)];

    /// <summary>Coming up is no failure, however it looks on the way; what will never come up is.</summary>
    [Theory]
    [MemberData(nameof(Recordings))]
    public void PodComesUp_AsRecorded_IsNoFailure(string recording)
    {
        var gang = Gang.Running();
        gang.ReplayStatusOnly([.. Read(recording, fromTheStart: true).TakeWhile(s => s is { Phase: PodPhase.Pending, DisruptionReason: null, Deleting: false })]);

        if (recording == "image-never-present") Assert.Equal(FailureKind.ImageUnavailable, Assert.Single(gang.Failures).Kind);
        else Assert.Empty(gang.Failures);
    }

    [Theory]
    [InlineData("unschedulable", "0/1 nodes are available: 1 Insufficient cpu.")]
    [InlineData("kubelet-gateoff-unschedulable", "0/1 nodes are available: 1 node(s) didn't match Pod's required features.")]
    public void Pod_WithoutANodeAsRecorded_IsUnschedulableInTheSchedulersWords(string recording, string words)
    {
        var pod = Read(recording, fromTheStart: true)[^1];

        Assert.Equal("Unschedulable", pod.UnschedulableReason);
        Assert.StartsWith(words, pod.UnschedulableMessage, StringComparison.Ordinal);
    }

    [Fact]
    public void Sidecar_RestartOfItsOwnAsRecorded_IsNoFailure()
    {
        var gang = Gang.Running(sidecar: true);
        gang.OtherFails();
        gang.Replay(Read("restart-all-sidecar"), agentReturns: true);

        Assert.Equal([new WorkerId("w", 1)], gang.Failures.Select(f => f.Worker!.Value).Distinct());
        Assert.All(gang.State.Plan!.Steps, s => Assert.Null(s.OldPod));
    }

    [Fact]
    public void Sidecar_WorkerEndsWithoutARuleWhileThePodGoesOn_IsAFailureAtOnce()
    {
        var states = Read("ra-nomatch").TakeWhile(s => !s.HasEnded).ToList();
        Assert.Contains(states, s => s.Containers.Any(c => c.Initial && c.State == ContainerState.Running) && s.Containers.Any(c => c.Name == "main" && c.State == ContainerState.Terminated));
        var gang = Gang.Running(sidecar: true, p => p.OnExitCode([2], RecoveryStrategy.Hybrid).OnExitCode([1], RecoveryStrategy.RecreateGang));
        foreach (var state in states.TakeWhile(s => s.Containers.All(c => c.Name != "peer" || c.State == ContainerState.Running))) gang.ReplayStatusOnly([state]);

        Assert.Equal((FailureKind.ApplicationError, 1), (gang.Failures[0].Kind, gang.Failures[0].ExitCode!.Value));
    }

    [Fact]
    public void Wrapper_WhoseContainersShowTheSame_IsLeftToItsAgent()
    {
        var gang = Gang.Running();
        foreach (var state in Read("ra-nomatch").TakeWhile(s => s.Containers.All(c => c.Name != "peer" || c.State == ContainerState.Running))) gang.ReplayStatusOnly([state]);

        Assert.Empty(gang.Failures);
    }

    [Fact]
    public void Sidecar_WorkerThatAnotherRuleStartsAgain_HasStillFailed()
    {
        var gang = Gang.Running(sidecar: true, p => p.OnExitCode([42], RecoveryStrategy.RecreateGang));
        gang.ReplayStatusOnly(Read("restart-rule-single"));

        Assert.Equal((FailureKind.ApplicationError, 42), (gang.Failures[0].Kind, gang.Failures[0].ExitCode!.Value));
    }

    private static List<PodObservation> Read(string recording, bool fromTheStart = false)
    {
        var states = new List<PodObservation>();
        var path = Path.Combine(Folder, "../Manifests", recording + ".json");
        var manifest = new Lazy<JsonNode?>(() => File.Exists(path) ? JsonNode.Parse(File.ReadAllText(path)) : null);
        foreach (var line in File.ReadLines(Path.Combine(Folder, recording + ".jsonl")))
        {
            if (JsonNode.Parse(line) is not { } e || e["object"] is not JsonObject pod || e["type"]!.GetValue<string>() is not ("ADDED" or "MODIFIED")) continue;
            var meta = pod["metadata"]!.AsObject();
            meta["ownerReferences"] = new JsonArray(new JsonObject { ["uid"] = "owner", ["controller"] = true });
            meta["labels"] = new JsonObject { [Labels.Role] = "w", [Labels.Worker] = "w-0", [Labels.Incarnation] = "1" };
            (pod["spec"] ??= new JsonObject())["nodeName"] = "node-1";
            if (manifest.Value?["spec"]?["containers"] is { } containers) pod["spec"]!["containers"] = containers.DeepClone();
            pod["spec"]!["containers"] ??= new JsonArray(new JsonObject { ["name"] = "main" });
            using var json = JsonDocument.Parse(pod.ToJsonString());
            states.Add(PodReader.Read(json.RootElement, Gang.Pod, Gang.Uid, "owner")!with { RestartsInPlace = true });
        }

        // The gang's story begins when the Pod is up.
        return fromTheStart ? states : [.. states.SkipWhile(s => s.Phase != PodPhase.Running || s.Containers.Any(c => !c.Initial && c.State != ContainerState.Running))];
    }

    private static string Here([CallerFilePath] string path = "") => path;

    private sealed class Gang
    {
        public const string Pod = "job-w-0-1";
        public const string Uid = "uid-0";
        private const string Other = "job-w-1-1";
        private DateTimeOffset _now = DateTimeOffset.UnixEpoch;
        private int _instance;

        private Gang(bool sidecar, Action<PolicyBuilder>? policy) => State = GangMachine.Start(
            TrainingSupervisor.Gang.Create("job").AddRole("w", r =>
            {
                r.WithCount(2).WithImage("i").WithCommand("c").WithAgentInImage("/a");
                if (sidecar) r.AsSidecar();
            }).WithPolicy(policy ?? (_ => { })).Build(), 1, restartsInPlace: true, _now);

        public GangState State { get; private set; }
        public List<Failure> Failures { get; } = [];
        public Failure? Cause => State.Plan?.Cause;

        public static Gang Running(bool sidecar = false, Action<PolicyBuilder>? policy = null)
        {
            var gang = new Gang(sidecar, policy);
            gang.Step(new CacheSynced());
            gang.Say(Pod, Uid, AgentPhase.Waiting, 0);
            gang.Say(Other, "uid-1", AgentPhase.Waiting, 0);
            gang.Say(Pod, Uid, AgentPhase.Running, 1);
            gang.Say(Other, "uid-1", AgentPhase.Running, 1);
            Assert.Equal(Stage.Running, gang.State.Stage);
            return gang;
        }

        public void OtherFails()
        {
            Say(Other, "uid-1", AgentPhase.Exited, 1, new WorkerExit { Code = 3, Ended = _now });
            Step();
            Step();
            Assert.Equal((Stage.Barrier, 2), (State.Stage, State.Attempt));
            Say(Pod, Uid, AgentPhase.Leaving, 2);
        }

        /// <summary>The agent's stream ends when its containers are restarted; a new agent says hello when they run again.</summary>
        public void Replay(IReadOnlyList<PodObservation> states, bool agentReturns)
        {
            var gone = false;
            foreach (var state in states)
            {
                if (!gone && state.Containers.Any(c => c.State != ContainerState.Running && !c.Initial))
                {
                    gone = true;
                    Step(new AgentGone(Pod, Uid, $"{Uid}/{_instance}", _now));
                }

                Step(new PodSeen(state));
            }

            if (agentReturns)
            {
                _instance++;
                Say(Pod, Uid, AgentPhase.Waiting, 0);
            }

            Step();
            Step();
        }

        public void ReplayStatusOnly(IReadOnlyList<PodObservation> states)
        {
            foreach (var state in states) Step(new PodSeen(state));
        }

        private void Say(string pod, string uid, AgentPhase phase, int attempt, WorkerExit? exit = null) => Step(new AgentSeen(
            pod, uid, "w", "10.0.0.1", "node-1", new AgentObservation { Instance = $"{uid}/{(pod == Pod ? _instance : 0)}", Phase = phase, Attempt = attempt, Exit = exit }));

        /// <summary>Time goes on by more than a gather window; records are saved at once.</summary>
        private void Step(params GangInput[] inputs)
        {
            while (true)
            {
                _now += TimeSpan.FromMilliseconds(60);
                var result = GangMachine.Step(State, inputs, _now);
                State = result.State;
                Failures.AddRange(result.Effects.OfType<Publish>().Select(p => p.Event).OfType<FailureDetected>().Select(f => f.Failure));
                inputs = [.. result.Effects.OfType<SaveRecord>().Select(s => new RecordSaved(s.Sequence))];
                if (inputs.Length == 0) return;
            }
        }
    }
}
