using System.Collections.Immutable;

namespace TrainingSupervisor;

/// <summary>A gang description has mistakes; all of them are named at once.</summary>
public sealed class InvalidGangException : SupervisorException
{
    internal InvalidGangException(string gang, ImmutableArray<SpecProblem> problems)
        : base($"Gang '{gang}' has {problems.Length} problem{(problems.Length == 1 ? "" : "s")}:\n"
            + string.Join('\n', problems.Select(p => "  " + p)))
    {
        Problems = problems;
    }

    /// <summary>Every problem that was found, in the order of the description.</summary>
    public ImmutableArray<SpecProblem> Problems { get; }
}

/// <summary>One mistake in a description.</summary>
/// <param name="Path">Where it is, as <c>roles[trainer].count</c>.</param>
/// <param name="Message">What is wrong and what would be right.</param>
public sealed record SpecProblem(string Path, string Message)
{
    /// <summary>The path and the message in one line.</summary>
    public override string ToString() => $"{Path}: {Message}";
}
