using k8s;
using k8s.Models;

namespace TrainingSupervisor.Kubernetes.Tests.Pods;

/// <summary>The template for a controller's Pods is the Pod that we would make, without what the controller gives itself.</summary>
public sealed class PodTemplateTests
{
    private static GangBuilder Adopted(Action<RoleBuilder>? more = null) => Gang.Create("llm").WithNamespace("team").AddRole("trainer", r =>
    {
        r.WithCount(4).WithImage("train:1").WithCommand("python", "train.py").WithEnvironment("LR", "3").WithAgentFromImageVolume("agent:1").WithAdoptedPods("job-name=llm");
        more?.Invoke(r);
    });

    [Fact]
    public void ToPodTemplate_AdoptedRole_CarriesTheAgentAndItsSecret()
    {
        var template = Adopted().Build().ToPodTemplate("trainer");
        var worker = Assert.Single(template.Spec.Containers);

        Assert.Equal(["/gang/agent/gang-agent", "run", "--", "python", "train.py"], worker.Command);
        Assert.Equal("Never", template.Spec.RestartPolicy);
        Assert.Equal(("Never", "RestartAllContainers", 88), (worker.RestartPolicy, worker.RestartPolicyRules.Single().Action, worker.RestartPolicyRules.Single().ExitCodes.Values.Single()));
        Assert.Equal("gang-llm", template.Spec.Volumes.Single(v => v.Name == "gang-secret").Secret.SecretName);
        Assert.Equal("agent:1", template.Spec.Volumes.Single(v => v.Name == "gang-agent").Image.Reference);
        var variables = worker.Env.ToDictionary(e => e.Name, e => e.Value ?? e.ValueFrom.FieldRef.FieldPath);
        Assert.Equal(("3", "llm", "team", "trainer", "metadata.name", "metadata.uid"),
            (variables["LR"], variables["GANG_NAME"], variables["GANG_NAMESPACE"], variables["GANG_ROLE"], variables["POD_NAME"], variables["POD_UID"]));
    }

    [Fact]
    public void ToPodTemplate_SidecarRoleWithoutACommand_LeavesTheImagesOwn()
    {
        var gang = Gang.Create("llm").AddRole("trainer", r => r.WithCount(4).WithImage("train:1").AsSidecar().WithAgentFromImageVolume("agent:1").WithAdoptedPods("job-name=llm")).Build();

        var template = gang.ToPodTemplate("trainer");

        Assert.Null(Assert.Single(template.Spec.Containers).Command);
        Assert.Equal(["/gang-agent", "sidecar"], Assert.Single(template.Spec.InitContainers).Command);
    }

    [Fact]
    public void ToPodTemplate_WhatItsControllerGives_IsLeftOut()
    {
        var template = Adopted().Build().ToPodTemplate("trainer");
        Assert.Equal((null, null, null, null), (template.Metadata.Name, template.Metadata.GenerateName, template.Metadata.NamespaceProperty, template.Metadata.OwnerReferences));
        Assert.Equal((null, null), (template.Spec.Hostname, template.Spec.Subdomain));
        Assert.Equal(
            new Dictionary<string, string> { ["training-supervisor.dev/gang"] = "llm", ["training-supervisor.dev/role"] = "trainer" },
            template.Metadata.Labels);
    }

    [Fact]
    public void ToPodTemplate_UsersTemplateAndConfiguration_AreInIt()
    {
        var template = Adopted(r => r.WithPodTemplate("""
            metadata: { labels: { team: nlp }, annotations: { note: kept } }
            spec:
              schedulerName: gangs
              containers: [{ name: main, image: own:2, resources: { limits: { nvidia.com/gpu: "8" } } }]
            """).ConfigurePod(p => p.Spec.PriorityClassName = "high")).Build().ToPodTemplate("trainer");

        Assert.Equal(("gangs", "high", "main", "train:1"), (template.Spec.SchedulerName, template.Spec.PriorityClassName, template.Spec.Containers[0].Name, template.Spec.Containers[0].Image));
        Assert.Equal("8", template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"].ToString());
        Assert.Equal(("nlp", "llm", "kept"), (template.Metadata.Labels["team"], template.Metadata.Labels["training-supervisor.dev/gang"], template.Metadata.Annotations["note"]));
    }

    [Fact]
    public void ToPodTemplate_WithoutTheRule_HasNone() =>
        Assert.False(PodFactory.HasRestartRule(new V1Pod { Spec = Adopted().Build().ToPodTemplate("trainer", restartsInPlace: false).Spec }));

    [Fact]
    public void ToPodTemplateYaml_ReadAgain_IsTheSame()
    {
        var spec = Adopted().Build();
        var yaml = spec.ToPodTemplateYaml("trainer");
        Assert.Equal(KubernetesJson.Serialize(spec.ToPodTemplate("trainer")), KubernetesJson.Serialize(KubernetesYaml.Deserialize<V1PodTemplateSpec>(yaml)));
        Assert.DoesNotContain("null", yaml, StringComparison.Ordinal);
    }

    [Fact]
    public void ToPodTemplate_RoleThatSaysTooLittle_NamesAllThatIsMissing()
    {
        var spec = Gang.Create("llm").AddRole("trainer", r => r.WithAdoptedPods("job-name=llm")).Build();
        var e = Assert.Throws<ArgumentException>(() => spec.ToPodTemplate("trainer"));
        Assert.Contains("WithImage", e.Message, StringComparison.Ordinal);
        Assert.Contains("WithCommand", e.Message, StringComparison.Ordinal);
        Assert.Contains("WithAgentFromImageVolume", e.Message, StringComparison.Ordinal);
        Assert.Contains("it has trainer", Assert.Throws<ArgumentException>(() => spec.ToPodTemplate("trianer")).Message, StringComparison.Ordinal);
    }
}
