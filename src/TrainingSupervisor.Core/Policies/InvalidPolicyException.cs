using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>A policy in JSON or YAML has mistakes, or one cannot be written as such; all of them are named at once.</summary>
public sealed class InvalidPolicyException : SupervisorException
{
    internal InvalidPolicyException(ImmutableArray<SpecProblem> problems, Exception? inner = null)
        : base($"The policy has {problems.Length} problem{(problems.Length == 1 ? "" : "s")}:\n" + string.Join('\n', problems.Select(p => "  " + p)), inner)
    {
        Problems = problems;
    }

    /// <summary>Every problem that was found, in the order of the text.</summary>
    public ImmutableArray<SpecProblem> Problems { get; }
}
