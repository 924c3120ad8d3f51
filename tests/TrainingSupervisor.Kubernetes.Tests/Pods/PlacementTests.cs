using System.Collections.Immutable;
using k8s.Models;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Kubernetes.Tests.Pods;

/// <summary>Where a Pod may land: what the user asks for and what the request asks for, both.</summary>
public sealed class PlacementTests
{
    private static readonly ImmutableSortedDictionary<string, string> Pool = ImmutableSortedDictionary<string, string>.Empty.Add("pool", "spare").Add("zone", "a");

    [Fact]
    public void Create_NothingAsked_HasNoNodeAffinity() => Assert.Null(Create(_ => { }, new PodRequest { Name = "p", Role = "trainer" }).Affinity?.NodeAffinity);

    [Fact]
    public void Create_NodeSelector_IsRequiredOfTheNode()
    {
        var term = Assert.Single(Terms(Create(_ => { }, Request())));
        Assert.Equal(["pool In spare", "zone In a"], term.MatchExpressions.Select(Text));
        Assert.Equal(["metadata.name NotIn bad"], term.MatchFields.Select(Text));
    }

    [Fact]
    public void Create_UsersOwnAffinity_StaysAndIsNarrowedInEachAlternative()
    {
        var spec = Create(
            pod =>
            {
                pod.NodeSelector = new Dictionary<string, string> { ["pool"] = "users" };
                pod.Affinity = new V1Affinity
                {
                    PodAffinity = new V1PodAffinity(),
                    NodeAffinity = new V1NodeAffinity
                    {
                        PreferredDuringSchedulingIgnoredDuringExecution = [new V1PreferredSchedulingTerm { Weight = 1, Preference = new V1NodeSelectorTerm() }],
                        RequiredDuringSchedulingIgnoredDuringExecution = new V1NodeSelector
                        {
                            NodeSelectorTerms =
                            [
                                new V1NodeSelectorTerm { MatchExpressions = [new V1NodeSelectorRequirement { Key = "gpu", OperatorProperty = "Exists" }] },
                                new V1NodeSelectorTerm { MatchFields = [new V1NodeSelectorRequirement { Key = "metadata.name", OperatorProperty = "NotIn", Values = ["old"] }] },
                            ],
                        },
                    },
                };
            },
            Request());

        Assert.Equal("users", spec.NodeSelector["pool"]);
        Assert.NotNull(spec.Affinity.PodAffinity);
        Assert.Single(spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution);
        var terms = Terms(spec);
        Assert.Equal(["gpu Exists ", "pool In spare", "zone In a"], terms[0].MatchExpressions.Select(Text));
        Assert.Equal(["metadata.name NotIn bad"], terms[0].MatchFields.Select(Text));
        Assert.Equal(["pool In spare", "zone In a"], terms[1].MatchExpressions.Select(Text));
        Assert.Equal(["metadata.name NotIn old", "metadata.name NotIn bad"], terms[1].MatchFields.Select(Text));
    }

    private static PodRequest Request() => new() { Name = "p", Role = "trainer", NodeSelector = Pool, AvoidNodes = ["bad"] };

    private static IList<V1NodeSelectorTerm> Terms(V1PodSpec spec) => spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms;

    private static string Text(V1NodeSelectorRequirement r) => $"{r.Key} {r.OperatorProperty} {string.Join(",", r.Values ?? [])}";

    private static V1PodSpec Create(Action<V1PodSpec> configure, PodRequest request)
    {
        var template = new V1PodTemplateSpec { Spec = new V1PodSpec { Containers = [new V1Container { Name = "main" }] } };
        configure(template.Spec);
        var spec = Gang.Create("llm")
            .AddRole("trainer", r => r.WithImage("train:1").WithCommand("train").WithAgentInImage("/gang-agent").WithPodTemplate(template)).Build();
        return PodFactory.Create(spec, request, new V1OwnerReference(), restartsInPlace: true).Spec;
    }
}
