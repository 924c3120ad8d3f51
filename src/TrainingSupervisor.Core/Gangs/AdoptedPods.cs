namespace TrainingSupervisor;

/// <summary>Which Pods are a role's workers, where something else creates and recreates them.</summary>
/// <param name="Selector">A label selector, as <c>kubectl get pods -l</c> takes it.</param>
/// <param name="IndexLabel">The label whose value is the worker's index; Pods without it are numbered in the order of their creation.</param>
public sealed record AdoptedPods(string Selector, string IndexLabel)
{
    /// <summary>What a Pod of an Indexed Job, also one of a JobSet, has.</summary>
    public const string JobCompletionIndex = "batch.kubernetes.io/job-completion-index";
}
