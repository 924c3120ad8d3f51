using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes.Tests.Pods;

public sealed class RestartRulesTests
{
    [Fact]
    public void ForWorker_FewCodesLeftOut_SaysNotIn()
    {
        var rule = Assert.Single(Compile(p => p.OnExitCode([13], RecoveryStrategy.RecreateGang)));

        Assert.Equal(("RestartAllContainers", "NotIn"), (rule.Action, rule.ExitCodes.OperatorProperty));
        Assert.Equal([0, 13, 88, 128, 137], rule.ExitCodes.Values.Select(v => v!.Value));
    }

    [Fact]
    public void ForWorker_FewCodesLeft_SaysIn()
    {
        var rule = Assert.Single(Compile(p => p.OnExitCode([3, 4], RecoveryStrategy.Hybrid).OnAny(RecoveryStrategy.FailGang)));

        Assert.Equal("In", rule.ExitCodes.OperatorProperty);
        Assert.Equal([3, 4], rule.ExitCodes.Values.Select(v => v!.Value));
    }

    [Fact]
    public void ForWorker_NoCodeLeft_HasNoRule() => Assert.Empty(Compile(p => p.OnAny(RecoveryStrategy.RecreateGang)));

    [Fact]
    public void ForWorker_RulesOfTheTemplate_ComeFirstUpToTheLimit()
    {
        var own = Enumerable.Range(0, 19).Select(i => Rule(i)).ToList();
        Assert.Equal(own, Compile(_ => { }, own).Take(19));

        var e = Assert.Throws<RejectedException>(() => Compile(_ => { }, [.. own, Rule(19)]));

        Assert.Contains("roles[side].podTemplate.spec.containers[0].restartPolicyRules: 20 rules; at most 19", e.Message, StringComparison.Ordinal);
        Assert.Equal(20, Compile(p => p.OnAny(RecoveryStrategy.FailGang), [.. own, Rule(19)]).Count);
    }

    [Fact]
    public void ForWorker_ARuleOfTheTemplateWithTooManyCodes_IsNamed()
    {
        var e = Assert.Throws<RejectedException>(() => Compile(_ => { }, [Rule([.. Enumerable.Range(0, 256)])]));

        Assert.Contains("restartPolicyRules[0].exitCodes.values: 256 codes", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Create_ASidecarRole_HoldsTheWorkerBackAndKeepsTheTokenFromIt(bool inPlace)
    {
        var spec = Spec(_ => { });
        var pod = PodFactory.Create(spec, new PodRequest { Name = "job-side-0-1", Role = "side", Worker = new WorkerId("side", 0), Incarnation = 1 },
            new V1OwnerReference { Name = "x", Uid = "u", Kind = "ConfigMap", ApiVersion = "v1" }, inPlace);

        var worker = Assert.Single(pod.Spec.Containers);
        Assert.Equal(["app"], worker.Command);
        Assert.Equal(["set-up", "gang-agent"], pod.Spec.InitContainers.Select(c => c.Name));
        var agent = pod.Spec.InitContainers[1];
        Assert.Equal(("agent:1", "Always", int.MaxValue), (agent.Image, agent.RestartPolicy, agent.StartupProbe.FailureThreshold!.Value));
        Assert.Equal(["/gang-agent", "sidecar"], agent.Command);
        Assert.Equal(["/gang-agent", "ready"], agent.StartupProbe.Exec.Command);
        Assert.DoesNotContain(worker.VolumeMounts, m => m.Name == "gang-secret");
        Assert.Contains(agent.VolumeMounts, m => m.Name == "gang-secret");
        Assert.Contains(worker.Env, e => e is { Name: "GANG_ENV_FILE", Value: "/gang/run/env" });
        Assert.Equal(inPlace, PodFactory.HasRestartRule(pod));
        Assert.Equal(inPlace ? "Never" : null, worker.RestartPolicy);
    }

    private static IList<V1ContainerRestartRule> Compile(Action<PolicyBuilder> policy, IList<V1ContainerRestartRule>? own = null)
    {
        var spec = Spec(policy);
        return RestartRules.ForWorker(spec, spec.Role("side"), new V1Container { Name = "worker", RestartPolicyRules = own });
    }

    private static V1ContainerRestartRule Rule(params int[] codes) => new()
    {
        Action = "Restart", ExitCodes = new V1ContainerRestartRuleOnExitCodes { OperatorProperty = "In", Values = [.. codes.Select(c => (int?)c)] },
    };

    private static GangSpec Spec(Action<PolicyBuilder> policy) => Gang.Create("job").AddRole("side", r => r.WithImage("app:1").WithAgentFromImageVolume("agent:1").AsSidecar().WithPodTemplate("""
        spec:
          initContainers:
          - name: set-up
            image: app:1
          containers:
          - name: worker
            command: [app]
        """)).WithPolicy(policy).Build();
}
