using LocalTraining.Trainer;

namespace TrainingSupervisor.Samples.Tests.Trainer;

public sealed class ArgumentsTests
{
    [Fact]
    public void Parse_AllThatIsNeeded_IsTaken()
    {
        var arguments = Arguments.Parse(["--text", "a", "--text", "b", "--checkpoints", "/c", "--steps", "7", "--seed", "-3", "--rate", "0.5"]);

        Assert.Equal(["a", "b"], arguments.Text);
        Assert.Equal(("/c", 7, -3, 0.5f), (arguments.Checkpoints, arguments.Steps, arguments.Seed, arguments.Rate));
    }

    [Theory]
    [InlineData("--text FILE is needed at least once", "--checkpoints", "c")]
    [InlineData("--checkpoints DIR is needed", "--text", "t")]
    [InlineData("unknown option --stpes", "--stpes", "3")]
    [InlineData("--steps needs a value", "--steps")]
    [InlineData("--steps must be a number from 1 to 2147483647, not 'many'", "--steps", "many")]
    [InlineData("--steps must be a number from 1 to 2147483647, not '0'", "--steps", "0")]
    [InlineData("--checkpoint-every must be a number from 1 to 2147483647, not '0'", "--checkpoint-every", "0")]
    [InlineData("--context must be a number from 1 to 256, not '-1'", "--context", "-1")]
    [InlineData("--rate must be a number from 1E-45 to 1000, not 'NaN'", "--rate", "NaN")]
    public void Parse_Mistake_SaysWhatWouldBeRight(string message, params string[] args) =>
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => Arguments.Parse(args)).Message);

    [Theory]
    [InlineData("RANK", "one", "RANK must be a whole number, not 'one'")]
    [InlineData("RANK", "1", "RANK is 1, but WORLD_SIZE is 1")]
    [InlineData("WORLD_SIZE", "3", "WORLD_SIZE is 3, but the roster has 1 workers")]
    [InlineData("GANG_ROSTER_FILE", "/no/such/roster", "the roster /no/such/roster cannot be read")]
    public void Read_ContractThatMakesNoSense_SaysWhat(string variable, string value, string message)
    {
        var error = Assert.Throws<ArgumentException>(() => Contract.Read(name => name == variable ? value : null));

        Assert.StartsWith(message, error.Message, StringComparison.Ordinal);
    }
}
